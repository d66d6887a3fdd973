"""Bad input over the wire: values that no server can take, and states in which a call makes no sense. Each is refused
with its code and its reason, in words that name the field, the value and the limit, and the server goes on."""

import grpc

import runner
import suite
from suite import ServerCase, call, error_pb2, future_pb2, ids, pb, seconds

Code = grpc.StatusCode
DAY = 24 * 3600
ERROR = future_pb2.Error(message="no")
SMALL = (
    "--limits-set-max=20",
    "--limits-batch-max=5",
    "--limits-payload-bytes-max=64KiB",
    "--limits-message-bytes-max=1MiB",
    "--limits-nesting-max=4",
)


class BadCase(ServerCase):
    FLAGS = SMALL

    def tearDown(self):
        try:
            self.assert_nothing_left()
            self.assert_healthy()
        finally:
            super().tearDown()

    def refuse_submit(self, spec, code, reason, **expected):
        """The same refusal from each RPC that submits; nothing is made."""
        for method, request in ((self.rpc.Submit, pb.SubmitRequest), (self.rpc.Call, pb.CallRequest)):
            self.assert_refused(lambda: method(request(namespace=self.ns, future=spec)), code, reason, **expected)
        batch = self.rpc.SubmitBatch(pb.SubmitBatchRequest(namespace=self.ns, futures=[spec]))
        self.assertEqual(batch.items[0].status.code, code.value[0])
        self.assertEqual(batch.items[0].status.reason, error_pb2.ErrorReason.Value(f"ERROR_REASON_{reason}"))
        self.assertEqual(batch.items[0].id, "")
        stream = self.stub.Run(iter([
            pb.RunRequest(open=pb.RunOpen(namespace=self.ns)),
            pb.RunRequest(items=[pb.RunRequest.Item(tag=1, future=spec)]),
        ]), timeout=suite.RPC_SECONDS)
        rejected = [done.rejected for message in stream for done in message.done]
        self.assertEqual([(item.code, item.reason) for item in rejected], [(batch.items[0].status.code, batch.items[0].status.reason)])
        self.assertEqual(len(self.rpc.List(pb.ListRequest(namespace=self.ns)).futures), 0)

    def refuse_option(self, field, says=(), reason="INVALID_FIELD", **options):
        action = lambda: self.submit(call("echo", 1, **options))
        self.assert_refused(action, Code.INVALID_ARGUMENT, reason, f"future.options.{field}", says)


class Functions(BadCase):
    def test_an_unknown_function(self):
        self.refuse_submit(call("ecko"), Code.NOT_FOUND, "UNKNOWN_FUNCTION", says=["ecko", "echo"])
        refusal = self.refusal(lambda: self.submit(call("ecko")))
        self.assertEqual(refusal.fields, ["future.call.function"])

    def test_no_function_and_no_spec(self):
        self.refuse_submit(call(""), Code.INVALID_ARGUMENT, "INVALID_FIELD", says=["ListFunctions"])
        nothing = future_pb2.FutureSpec()
        self.assert_refused(lambda: self.submit(nothing), Code.INVALID_ARGUMENT, "INVALID_FIELD", "future", ["call", "gather"])

    def test_a_payload_over_the_limit(self):
        large = "x" * (65 << 10)
        self.refuse_submit(call("echo", text=large), Code.INVALID_ARGUMENT, "PAYLOAD_TOO_LARGE", says=[64 << 10, len(large)])
        refusal = self.refusal(lambda: self.submit(call("echo", text=large)))
        self.assertEqual(refusal.fields, ["future.call.input"])
        promise = self.promise()
        self.assert_refused(lambda: self.settle(promise, large), Code.INVALID_ARGUMENT, "PAYLOAD_TOO_LARGE", "value", [64 << 10])
        error = future_pb2.Error(message=large)
        request = pb.SetExceptionRequest(namespace=self.ns, id=promise, error=error)
        self.assert_refused(lambda: self.rpc.SetException(request), Code.INVALID_ARGUMENT, "PAYLOAD_TOO_LARGE", "error")
        self.assertEqual(self.get(promise).state, future_pb2.FUTURE_STATE_PENDING)

    def test_a_payload_of_the_wrong_kind_fails_the_job_not_the_call(self):
        cases = [
            ("sleep", {"text": "soon"}, "soon"),
            ("sleep", {"json": {"second": 1}}, "seconds"),
            ("sleep", {"json": -1}, "-1"),
            ("sleep", {"data": b"\x00\xff"}, ""),
            ("file.read", {"json": 7}, ""),
            ("file.write", {"json": {"path": "a", "data": [1]}}, "data"),
            ("checksum", {"json": {"data": "x", "algorithm": "md5"}}, "md5"),
            ("http.request", {"json": {"url": "x", "methd": "GET"}}, "methd"),
        ]
        for function, payload, said in cases:
            with self.subTest(function=function, payload=payload):
                done = self.rpc.Call(pb.CallRequest(namespace=self.ns, future=call(function, **payload))).completion
                self.assertEqual(done.state, future_pb2.FUTURE_STATE_FAILED)
                self.assertEqual(done.outcome.error.kind, future_pb2.ERROR_KIND_INVALID_INPUT, done.outcome.error)
                self.assertIn(said, done.outcome.error.message)

    def test_too_many_in_a_batch(self):
        request = pb.SubmitBatchRequest(namespace=self.ns, futures=[call("echo", i) for i in range(6)])
        self.assert_refused(lambda: self.rpc.SubmitBatch(request), Code.INVALID_ARGUMENT, "INVALID_FIELD", "futures", [6, 5])


class Ids(BadCase):
    def every_use_of(self, id_):
        """(name, action) of each RPC that takes an id and fails as a whole for one that is not there."""
        ns = self.ns
        shield = future_pb2.FutureSpec(shield=future_pb2.ShieldSpec(id=id_))
        gather = future_pb2.FutureSpec(gather=future_pb2.GatherSpec(ids=[id_]))
        wait_for = future_pb2.FutureSpec(wait_for=future_pb2.WaitForSpec(id=id_))
        deadline = suite.RPC_SECONDS
        return {
            "Get": lambda: self.get(id_),
            "Wait": lambda: self.wait(id_),
            "AsCompleted": lambda: self.stub.AsCompleted(pb.AsCompletedRequest(namespace=ns, set=ids(id_)), timeout=deadline),
            "Gather": lambda: self.stub.Gather(pb.GatherRequest(namespace=ns, set=ids(id_)), timeout=deadline),
            "Gather by id": lambda: self.stub.Gather(pb.GatherRequest(namespace=ns, gather_id=id_), timeout=deadline),
            "SetResult": lambda: self.settle(id_),
            "SetException": lambda: self.rpc.SetException(pb.SetExceptionRequest(namespace=ns, id=id_, error=ERROR)),
            "Submit a shield": lambda: self.submit(shield),
            "Submit a gather": lambda: self.submit(gather),
            "Submit a wait_for": lambda: self.submit(wait_for),
        }

    def assert_missing(self, id_, reason):
        for name, action in self.every_use_of(id_).items():
            with self.subTest(rpc=name):
                self.assert_refused(action, Code.NOT_FOUND, reason, says=[id_])
        self.assertEqual(self.cancel(id_).items[0].effect, future_pb2.CANCEL_EFFECT_NOT_FOUND)
        failure = self.rpc.Delete(pb.DeleteRequest(namespace=self.ns, set=ids(id_))).failures[0]
        self.assertEqual((failure.id, failure.status.code), (id_, Code.NOT_FOUND.value[0]))

    def test_a_text_that_no_server_makes(self):  # semantics 25
        for id_ in ("nonsense", "x" * 10_000, "\u00e9\u4e16", " ", "../../etc/passwd", "%s%n", "'; drop table"):
            for name, action in self.every_use_of(id_).items():
                with self.subTest(rpc=name, id=id_[:20]):
                    self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_ID")
        self.assert_refused(lambda: self.get(""), Code.INVALID_ARGUMENT, "INVALID_ID", "id", ["empty"])
        self.assert_refused(lambda: self.wait("nonsense"), Code.INVALID_ARGUMENT, "INVALID_ID", "set.ids[0]", ["nonsense"])
        self.assert_refused(lambda: self.cancel("nonsense"), Code.INVALID_ARGUMENT, "INVALID_ID", "set.ids[0]")

    def test_an_id_of_another_namespace(self):  # semantics 52
        own, self.ns = self.ns, "elsewhere"
        there = self.promise()
        self.ns = own
        self.promise()  # this namespace exists too
        self.assert_missing(there, "FUTURE_NOT_FOUND")
        self.ns = "elsewhere"
        self.assertEqual(self.get(there).state, future_pb2.FUTURE_STATE_PENDING)
        self.settle(there)

    def test_an_id_that_was_never_issued(self):
        with runner.Musterd(runner.OPTIONS.musterd, []) as later:  # an incarnation of the future, seen from here
            with grpc.insecure_channel(later.grpc) as channel:
                stub = suite.future_service_pb2_grpc.FutureServiceStub(channel)
                id_ = stub.CreatePromise(pb.CreatePromiseRequest(namespace=self.ns), timeout=30).id
        self.assert_missing(id_, "FUTURE_NOT_FOUND")

    def test_an_id_that_a_restart_has_lost(self):
        flags = [f"--loops={runner.OPTIONS.loops}"]
        with runner.Musterd(runner.OPTIONS.musterd, flags) as before, grpc.insecure_channel(before.grpc) as channel:
            stub = suite.future_service_pb2_grpc.FutureServiceStub(channel)
            id_ = stub.CreatePromise(pb.CreatePromiseRequest(namespace=self.ns), timeout=30).id
        with runner.Musterd(runner.OPTIONS.musterd, flags) as after, grpc.insecure_channel(after.grpc) as channel:
            stub = suite.future_service_pb2_grpc.FutureServiceStub(channel)
            get = lambda: stub.Get(pb.GetRequest(namespace=self.ns, id=id_), timeout=30)
            self.assert_refused(get, Code.NOT_FOUND, "FUTURE_LOST", says=[id_, "restart"])

    def test_an_expired_id(self):  # semantics 100
        id_ = self.submit(call("echo", 1, retention=seconds(0.05)))
        self.until(lambda: self.server.metric("muster_futures") == 0 or self.gone(id_), "the retention passes")
        self.assert_missing(id_, "FUTURE_EXPIRED")

    def gone(self, id_):
        return not [f for f in self.rpc.List(pb.ListRequest(namespace=self.ns)).futures if f.id == id_]

    def test_the_first_ten_of_many_are_named(self):
        own, self.ns = self.ns, "elsewhere"
        strangers = [self.promise() for _ in range(12)]
        self.ns = own
        mine = self.promise()
        refusal = self.assert_refused(lambda: self.wait(mine, *strangers), Code.NOT_FOUND, "FUTURE_NOT_FOUND", says=[12])
        named = [id_ for id_ in strangers if id_ in refusal.message]
        self.assertEqual(len(named), 10, refusal.message)
        self.assertNotIn(mine, refusal.message)
        self.ns = "elsewhere"
        self.cancel(*strangers)


class Sets(BadCase):
    def every_set(self, set_):
        ns, deadline = self.ns, suite.RPC_SECONDS
        return {
            "Wait": lambda: self.rpc.Wait(pb.WaitRequest(namespace=ns, set=set_)),
            "Cancel": lambda: self.rpc.Cancel(pb.CancelRequest(namespace=ns, set=set_)),
            "Delete": lambda: self.rpc.Delete(pb.DeleteRequest(namespace=ns, set=set_)),
            "Gather": lambda: self.stub.Gather(pb.GatherRequest(namespace=ns, set=set_), timeout=deadline),
            "AsCompleted": lambda: self.stub.AsCompleted(pb.AsCompletedRequest(namespace=ns, set=set_), timeout=deadline),
        }

    def test_a_set_of_nothing(self):  # semantics 23
        for name in ("Wait", "Cancel", "Delete"):
            with self.subTest(rpc=name):
                self.assert_refused(self.every_set(ids())[name], Code.INVALID_ARGUMENT, "EMPTY_SET", "set", ["ids", "group"])

    def test_a_set_of_both(self):
        for name, action in self.every_set(future_pb2.FutureSet(ids=[self.promise()], group="g")).items():
            with self.subTest(rpc=name):
                self.assert_refused(action, Code.INVALID_ARGUMENT, "EMPTY_SET", "set", ["ids", "group"])

    def test_a_group_that_nobody_is_in(self):
        group = future_pb2.FutureSet(group="nobody")
        action = lambda: self.rpc.Wait(pb.WaitRequest(namespace=self.ns, set=group))
        self.assert_refused(action, Code.INVALID_ARGUMENT, "EMPTY_SET", "set.group", ["nobody"])

    def test_a_set_over_the_limit(self):
        promise = self.promise()
        for name, action in self.every_set(ids(*[promise] * 21)).items():
            with self.subTest(rpc=name):
                self.assert_refused(action, Code.INVALID_ARGUMENT, "SET_TOO_LARGE", "set.ids", [21, 20])
        gather = future_pb2.FutureSpec(gather=future_pb2.GatherSpec(ids=[promise] * 21))
        self.assert_refused(lambda: self.submit(gather), Code.INVALID_ARGUMENT, "SET_TOO_LARGE", "future.gather.ids", [21, 20])

    def test_a_group_over_the_limit(self):
        for _ in range(21):
            self.promise(group="crowd")
        for name, action in self.every_set(future_pb2.FutureSet(group="crowd")).items():
            if name in ("Wait", "AsCompleted", "Gather"):
                with self.subTest(rpc=name):
                    self.assert_refused(action, Code.INVALID_ARGUMENT, "SET_TOO_LARGE", says=[21, 20])

    def test_a_return_when_that_there_is_not(self):  # semantics 24
        promise = self.promise()
        for value in (4, 99, -1):
            action = lambda: self.wait(promise, return_when=value)
            self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_RETURN_WHEN", "return_when", [value, "FIRST_COMPLETED"])

    def test_enums_that_there_are_not(self):
        promise = self.promise()
        refused = [
            ("view", lambda: self.wait(promise, view=9)),
            ("view", lambda: self.get(promise, view=9)),
            ("future.options.min_durability", lambda: self.submit(call("echo", 1, min_durability=9))),
            ("future.options.execution", lambda: self.submit(call("echo", 1, execution=9))),
            ("states[0]", lambda: self.rpc.List(pb.ListRequest(namespace=self.ns, states=[42]))),
        ]
        for field, action in refused:
            with self.subTest(field=field):
                self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_FIELD", field)


class Times(BadCase):
    def test_durations_out_of_range(self):
        cases = [
            ("delay", seconds(-1), "at least"),
            ("delay", seconds(366 * DAY), "at most"),
            ("queue_timeout", seconds(-0.001), "at least"),
            ("run_timeout", seconds(-5), "at least"),
            ("run_timeout", seconds(366 * DAY), "at most"),
            ("retention", seconds(-1), "at least"),
            ("retention", seconds(31 * DAY), "at most"),
            ("request_id_ttl", seconds(25 * 3600), "at most"),
        ]
        for field, value, said in cases:
            with self.subTest(field=field, value=value):
                self.refuse_option(field, [said], "INVALID_DURATION", request_id="r", **{field: value})
        self.assertEqual(len(self.rpc.List(pb.ListRequest(namespace=self.ns)).futures), 0)

    def test_durations_that_are_none(self):
        for whole, nanos in ((1, -1), (-1, 1), (0, 1_000_000_000), (0, -2_000_000_000), (400_000_000_000, 0), (-(1 << 63), 0)):
            with self.subTest(seconds=whole, nanos=nanos):
                value = suite.duration_pb2.Duration(seconds=whole, nanos=nanos)
                self.refuse_option("delay", [whole, nanos], "INVALID_DURATION", delay=value)

    def test_timeouts_of_waits(self):
        promise = self.promise()
        for value in (-1, 366 * DAY):
            with self.subTest(seconds=value):
                action = lambda: self.wait(promise, timeout=seconds(value))
                self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_DURATION", "timeout", ["at "])
                request = pb.AsCompletedRequest(namespace=self.ns, set=ids(promise), timeout=seconds(value))
                action = lambda: self.stub.AsCompleted(request, timeout=suite.RPC_SECONDS)
                self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_DURATION", "timeout", ["at "])
        request = pb.AsCompletedRequest(namespace=self.ns, set=ids(promise), progress_interval=seconds(0.01))
        action = lambda: self.stub.AsCompleted(request, timeout=suite.RPC_SECONDS)
        self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_DURATION", "progress_interval", ["0.1 s"])
        grace = future_pb2.WaitForSpec(id=promise, grace=seconds(3601))
        action = lambda: self.submit(future_pb2.FutureSpec(wait_for=grace))
        self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_DURATION", "future.wait_for.grace", [3600])


class Texts(BadCase):
    def test_texts_over_their_limits(self):
        self.refuse_option("name", [256, 255], name="n" * 256)
        self.refuse_option("group", [256, 255], group="g" * 256)
        self.refuse_option("request_id", [129, 128], request_id="r" * 129)
        self.refuse_option("labels", [33, 32], labels={str(i): "" for i in range(33)})
        self.refuse_option("labels", [64, 63], labels={"k" * 64: ""})
        self.refuse_option("labels", [256, 255], labels={"k": "v" * 256})
        self.refuse_option("metadata", [8192], metadata={"k": "v" * 9000})
        long_type = call("echo", text="x")
        long_type.call.input.content_type = "t" * 256
        self.assert_refused(
            lambda: self.submit(long_type), Code.INVALID_ARGUMENT, "INVALID_FIELD", "future.call.input.content_type", [255]
        )
        action = lambda: self.cancel(self.promise(), message="m" * 4097)
        self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_FIELD", "message", [4097, 4096])
        promise = self.promise()
        action = lambda: self.settle(promise, request_id="r" * 129)
        self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_FIELD", "request_id", [129, 128])

    def test_names_of_namespaces(self):
        for name in ("Upper", "-a", "a-", "a b", "a" * 64, "ä", "a.b", "\x00"):
            with self.subTest(name=name):
                action = lambda: self.rpc.Submit(pb.SubmitRequest(namespace=name, future=call("echo", 1)))
                self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_FIELD", "namespace", ["63"])

    def test_tokens_that_nobody_handed_out(self):
        promise, other = self.promise(), self.promise()
        stream = self.stub.AsCompleted(pb.AsCompletedRequest(namespace=self.ns, set=ids(promise)), timeout=suite.RPC_SECONDS)
        self.settle(promise)
        token = next(stream).resume_token
        for resume, set_ in (("rubbish", ids(promise)), ("\U0001F40D", ids(promise)), ("A" * 100_000, ids(promise)), (token, ids(other))):
            request = pb.AsCompletedRequest(namespace=self.ns, set=set_, resume_token=resume)
            action = lambda: self.stub.AsCompleted(request, timeout=suite.RPC_SECONDS)
            self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_RESUME_TOKEN", "resume_token")
        for token in ("rubbish", "0", "-1", "9" * 1000, "\U0001F40D"):
            action = lambda: self.rpc.List(pb.ListRequest(namespace=self.ns, page_token=token))
            self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN", "page_token")
        action = lambda: self.rpc.ListFunctions(pb.ListFunctionsRequest(page_token="rubbish"))
        self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN", "page_token")
        action = lambda: self.rpc.List(pb.ListRequest(namespace=self.ns, page_size=1001))
        self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_FIELD", "page_size", [1001, 1000])

    def raw(self, method, message):
        """Sends bytes as they are, and takes bytes."""
        send = self.channel.unary_unary(f"/muster.v1.FutureService/{method}")
        return lambda: send(message, timeout=suite.RPC_SECONDS)

    def test_messages_that_are_none(self):
        broken_utf8 = b"\x0a\x04a\xff\xfe\xff"  # namespace
        in_group = b"\x12\x05\x12\x03\xc3\x28\xff"  # set.group
        for method, message in (
            ("Submit", broken_utf8),
            ("Wait", in_group),
            ("Get", b"\x12\x02\xc0\xaf"),
            ("Submit", b"\xff" * 100),
            ("Submit", b"\x12\xff\xff\xff\xff\x0f"),
        ):
            with self.subTest(method=method, message=message[:8]):
                refusal = self.refusal(self.raw(method, message))
                self.assertIn(refusal.code, (Code.INVALID_ARGUMENT, Code.INTERNAL))

    def test_a_message_over_the_limit(self):
        refusal = self.refusal(lambda: self.submit(call("echo", text="x" * (2 << 20))))
        self.assertEqual(refusal.code, Code.RESOURCE_EXHAUSTED)  # gRPC's own, before anything was read of it
        self.assertIn(str(1 << 20), refusal.message)

    def test_a_method_that_there_is_not(self):
        self.assertEqual(self.refusal(self.raw("Sbumit", b"")).code, Code.UNIMPLEMENTED)

    def test_json_that_nests_without_end(self):
        """Deeper than any parser takes; built by hand, as no library would send it."""
        field = lambda number, body: bytes([number << 3 | 2]) + varint(len(body)) + body
        value = field(3, b"x")  # string_value
        for _ in range(2000):
            value = field(6, field(1, value))  # list_value.values
        spec = field(1, field(1, b"echo") + field(2, field(4, value)))  # call.function, call.input.json
        refusal = self.refusal(self.raw("Call", field(2, spec)))
        self.assertIn(refusal.code, (Code.INVALID_ARGUMENT, Code.INTERNAL))


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


class States(BadCase):
    def test_a_request_id_with_another_spec(self):
        first = self.submit(call("echo", 1, request_id="r"))
        for other in (call("echo", 2, request_id="r"), call("echo", 1, request_id="r", name="x"), call("sleep", 1, request_id="r")):
            self.assert_refused(lambda: self.submit(other), Code.ALREADY_EXISTS, "REQUEST_ID_REUSED", "future.options.request_id")
        action = lambda: self.promise(request_id="r")
        self.assert_refused(action, Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")
        self.assertEqual(self.submit(call("echo", 1, request_id="r")), first)

    def test_settling_what_is_no_promise(self):  # semantics 13
        job = self.submit(call("sleep", 60))
        gather = self.submit(future_pb2.FutureSpec(gather=future_pb2.GatherSpec(ids=[job])))
        for id_ in (job, gather):
            self.assert_refused(lambda: self.settle(id_), Code.FAILED_PRECONDITION, "NOT_A_PROMISE", says=[id_])
            request = pb.SetExceptionRequest(namespace=self.ns, id=id_, error=ERROR)
            self.assert_refused(lambda: self.rpc.SetException(request), Code.FAILED_PRECONDITION, "NOT_A_PROMISE", says=[id_])
        self.cancel(job)

    def test_settling_twice(self):  # semantics 2
        promise = self.promise()
        self.settle(promise, "first", request_id="a")
        again = pb.SetExceptionRequest(namespace=self.ns, id=promise, error=future_pb2.Error(message="late"))
        for action in (lambda: self.settle(promise, "second"), lambda: self.settle(promise, "second", request_id="b"),
                       lambda: self.rpc.SetException(again)):
            self.assert_refused(action, Code.FAILED_PRECONDITION, "ALREADY_DONE", says=[promise])
        self.assertEqual(self.get(promise).outcome.value.text, "first")
        cancelled = self.promise()
        self.cancel(cancelled)
        self.assert_refused(lambda: self.settle(cancelled), Code.FAILED_PRECONDITION, "ALREADY_DONE")

    def test_cancelling_what_is_done(self):  # semantics 4, 51
        promise, bad = self.promise(), self.submit(call("fail", "x"))
        self.settle(promise, "kept")
        self.wait(bad)
        answer = self.cancel(promise, bad)
        self.assertEqual({item.effect for item in answer.items}, {future_pb2.CANCEL_EFFECT_ALREADY_DONE})
        self.assertEqual(answer.requested_count, 0)
        self.assertEqual(self.get(promise).outcome.value.text, "kept")
        self.assertEqual(self.get(bad).state, future_pb2.FUTURE_STATE_FAILED)

    def test_deleting_what_lives(self):
        promise = self.promise()
        answer = self.rpc.Delete(pb.DeleteRequest(namespace=self.ns, set=ids(promise)))
        self.assertEqual(answer.deleted_count, 0)
        self.assertEqual(answer.failures[0].status.code, Code.FAILED_PRECONDITION.value[0])
        self.assertEqual(answer.failures[0].status.reason, error_pb2.ERROR_REASON_NOT_DONE)
        self.assertEqual(self.get(promise).state, future_pb2.FUTURE_STATE_PENDING)

    def test_combinators_nested_to_the_limit(self):
        inner = promise = self.promise()
        for _ in range(4):
            inner = self.submit(future_pb2.FutureSpec(gather=future_pb2.GatherSpec(ids=[inner])))
        for spec in (
            future_pb2.FutureSpec(gather=future_pb2.GatherSpec(ids=[inner])),
            future_pb2.FutureSpec(shield=future_pb2.ShieldSpec(id=inner)),
            future_pb2.FutureSpec(wait_for=future_pb2.WaitForSpec(id=inner)),
        ):
            self.assert_refused(lambda: self.submit(spec), Code.INVALID_ARGUMENT, "NESTING_TOO_DEEP", "future", [5, 4])
        self.settle(promise, "through all")  # what was accepted works
        outcome = self.wait(inner).done[0].outcome
        for _ in range(4):
            outcome = outcome.gathered.outcomes[0]
        self.assertEqual(outcome.value.text, "through all")

    def test_awaiting_a_job_as_a_gather(self):
        job = self.promise()
        gather = lambda **f: lambda: self.stub.Gather(pb.GatherRequest(namespace=self.ns, **f), timeout=suite.RPC_SECONDS)
        self.assert_refused(gather(gather_id=job), Code.FAILED_PRECONDITION, "NOT_A_GATHER", "gather_id")
        self.assert_refused(gather(), Code.INVALID_ARGUMENT, "INVALID_FIELD", "target", ["set", "gather_id"])
        both = gather(gather_id=job, return_exceptions=True)
        self.assert_refused(both, Code.INVALID_ARGUMENT, "INVALID_FIELD", "return_exceptions")

    def test_cancel_on_disconnect_where_nobody_stays(self):
        self.refuse_option("cancel_on_disconnect", ["Call", "Run"], cancel_on_disconnect=True)
        request = pb.SubmitBatchRequest(namespace=self.ns, futures=[call("echo", 1, cancel_on_disconnect=True)])
        self.assertEqual(self.rpc.SubmitBatch(request).items[0].status.code, Code.INVALID_ARGUMENT.value[0])

    def test_options_that_mean_nothing_for_a_promise(self):
        for field, value in (("delay", seconds(1)), ("run_timeout", seconds(1)), ("queue_timeout", seconds(1))):
            action = lambda: self.promise(**{field: value})
            self.assert_refused(action, Code.INVALID_ARGUMENT, "INVALID_FIELD", f"options.{field}", ["jobs"])

    def test_a_run_that_is_not_opened_or_opened_twice(self):
        item = pb.RunRequest.Item(tag=1, future=call("echo", 1))
        open_ = pb.RunRequest(open=pb.RunOpen(namespace=self.ns))
        run = lambda *messages: lambda: self.stub.Run(iter(messages), timeout=suite.RPC_SECONDS)
        for messages in ((pb.RunRequest(items=[item]),), (open_, open_), ()):
            self.assert_refused(run(*messages), Code.INVALID_ARGUMENT, "INVALID_FIELD", "open")
        long = pb.RunRequest(open=pb.RunOpen(namespace=self.ns, session="s" * 65))
        self.assert_refused(run(long), Code.INVALID_ARGUMENT, "INVALID_FIELD", "open.session", [65, 64])


class LessDurability(BadCase):
    FLAGS = ("--durability=async",)

    def test_more_durability_than_there_is(self):
        spec = call("echo", 1, min_durability=future_pb2.Durability.Value("DURABILITY_SYNC"))
        self.refuse_submit(spec, Code.FAILED_PRECONDITION, "DURABILITY_UNAVAILABLE", says=["DURABILITY_SYNC", "DURABILITY_ASYNC"])
        for level in ("NONE", "ASYNC"):
            self.submit(call("echo", 1, min_durability=future_pb2.Durability.Value(f"DURABILITY_{level}")))


if __name__ == "__main__":
    runner.main()
