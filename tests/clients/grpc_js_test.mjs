// JavaScript's gRPC (@grpc/grpc-js), with messages read from the .proto files, as a JavaScript programmer would.
// The environment says where: MUSTER_SERVER, PROTO (folder of the .proto files), CLIENTS (folder of node_modules).
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENTS}/package.json`);
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const definition = loader.loadSync("muster/v1/future_service.proto", {
  includeDirs: [process.env.PROTO],
  enums: String,
  longs: Number,
  defaults: true,
  oneofs: true,
});
const { muster } = grpc.loadPackageDefinition(definition);
const client = new muster.v1.FutureService(process.env.MUSTER_SERVER, grpc.credentials.createInsecure());

const deadline = () => ({ deadline: Date.now() + 30_000 });
const unary = (method, request) =>
  new Promise((resolve, reject) => client[method](request, deadline(), (error, answer) => (error ? reject(error) : resolve(answer))));
const echo = (text) => ({ call: { function: "echo", input: { text } } });
const sleep = (seconds) => ({ call: { function: "sleep", input: { json: { numberValue: seconds } } } });

// The next message of a Run stream.
function messages(stream) {
  const iterator = stream[Symbol.asyncIterator]();
  return async () => (await iterator.next()).value;
}

const tests = [];
const test = (name, body) => tests.push([name, body]);

test("Call brings the outcome", async () => {
  const { completion } = await unary("Call", { future: echo("from JavaScript: \u{1F30D}") });
  assert.equal(completion.state, "FUTURE_STATE_SUCCEEDED");
  assert.equal(completion.outcome.value.text, "from JavaScript: \u{1F30D}");
});

test("a failed job is an outcome, not an error of the RPC", async () => {
  const input = { json: { structValue: { fields: { type: { stringValue: "TypeError" }, message: { stringValue: "no" } } } } };
  const { completion } = await unary("Call", { future: { call: { function: "fail", input } } });
  assert.equal(completion.state, "FUTURE_STATE_FAILED");
  assert.equal(completion.outcome.error.type, "TypeError");
});

// semantics 27, 29
test("Wait for the first, then until time runs out", async () => {
  const quick = await unary("Submit", { future: echo("quick") });
  const slow = await unary("Submit", { future: sleep(60) });
  const set = { ids: [quick.id, slow.id] };
  const first = await unary("Wait", { set, returnWhen: "RETURN_WHEN_FIRST_COMPLETED" });
  assert.deepEqual([first.end, first.done.map((c) => c.id), first.pendingIds], ["WAIT_END_SATISFIED", [quick.id], [slow.id]]);
  const timed = await unary("Wait", { set, timeout: { seconds: 0, nanos: 200_000_000 } });
  assert.equal(timed.end, "WAIT_END_TIMED_OUT");
  await unary("Cancel", { set: { ids: [slow.id] }, message: "enough" });
  const { done } = await unary("Wait", { set: { ids: [slow.id] } });
  assert.equal(done[0].outcome.cancelled.message, "enough");
});

// semantics 38
test("AsCompleted brings each once, in the order of their ends", async () => {
  const promises = [];
  for (let i = 0; i < 4; ++i) promises.push((await unary("CreatePromise", {})).id);
  const order = [2, 0, 3, 1].map((i) => promises[i]);
  const stream = client.AsCompleted({ set: { ids: promises } }, deadline());
  const next = messages(stream);
  const seen = [];
  let last;
  for (const id of order) {
    await unary("SetResult", { id, value: { text: id } });
    while (seen.at(-1) !== id) {
      last = await next();
      for (const completion of last.completions) seen.push(completion.outcome.value.text);
    }
  }
  for (let message = last; message; message = last.end === "WAIT_END_UNSPECIFIED" ? await next() : undefined) last = message;
  assert.deepEqual(seen, order);
  assert.equal(last.end, "WAIT_END_SATISFIED");
});

test("Run: more items than credits, each answered", async () => {
  const total = 200;
  const run = client.Run(deadline());
  const next = messages(run);
  run.write({ open: { namespace: "js" } });
  let credits = Math.min((await next()).credits, 50);
  assert.ok(credits > 0);
  const answers = new Map();
  let tag = 0;
  while (answers.size < total) {
    const items = [];
    for (; credits > 0 && tag < total; --credits, ++tag) items.push({ tag, future: echo(`number ${tag}`) });
    if (items.length > 0) run.write({ items });
    for (const done of (await next()).done) {
      answers.set(done.tag, done.completion.outcome.value.text);
      ++credits;
    }
  }
  run.end();
  assert.equal(await next(), undefined);
  for (let i = 0; i < total; ++i) assert.equal(answers.get(i), `number ${i}`);
});

// semantics 98
test("Run: a cancelled stream leaves what it submitted alive", async () => {
  const run = client.Run(deadline());
  run.on("error", () => {});
  const next = messages(run);
  run.write({ open: { namespace: "js", acknowledge: true } });
  await next();
  run.write({ items: [{ tag: 1, future: { ...sleep(60), options: { retention: { seconds: 60 } } } }] });
  const [{ id }] = (await next()).accepted;
  run.cancel();
  const { future } = await unary("Get", { namespace: "js", id });
  assert.equal(future.state, "FUTURE_STATE_RUNNING");
  await unary("Cancel", { namespace: "js", set: { ids: [id] } });
});

test("a refusal carries its details", async () => {
  const error = await unary("Get", { id: "nonsense" }).then(assert.fail, (e) => e);
  assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
  const [details] = error.metadata.get("grpc-status-details-bin");
  assert.ok(details.includes("INVALID_ID") && details.includes("google.rpc.ErrorInfo"));
});

let passed = 0;
let failed = 0;
for (const [name, body] of tests) {
  try {
    await Promise.race([
      body(),
      new Promise((_, reject) => setTimeout(() => reject(new Error("no end within 40 s")), 40_000).unref()),
    ]);
    ++passed;
    console.log(`ok      ${name}`);
  } catch (error) {
    ++failed;
    console.log(`FAILED  ${name}\n${error.stack ?? error}`);
  }
}
client.close();
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
