// `test.program`: a body that a test writes as JSON, so that what a body may do can be tested over the wire. Registered
// only under --clock=manual.
//
//   [{"op": "try", "body": [{"op": "sleep", "seconds": 60}], "catch": "cancelled",
//     "except": [{"op": "record", "value": "was cancelled"}]},
//    {"op": "return"}]
//
// A step either goes on, returns or raises; what is raised climbs to the nearest `try` that catches it, or ends the
// program. An id in a step is a future's id, "self", or the name that an earlier step gave with "as".
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/functions/input.h"
#include "service/functions/test/register.h"
#include "service/jobs/error.h"
#include "service/jobs/json.h"

namespace muster::functions {
namespace {

using nlohmann::json;

constexpr int kStepsMax = 10'000;
constexpr int kDepthMax = 16;
constexpr size_t kRecordsMax = 1000;
constexpr double kSecondsMax = 1e9;

// How a step ended. A class, because aggregates are not safe to build in a co_await's statement (g++ 12).
class Flow {
 public:
  static Flow GoOn() { return Flow(); }
  static Flow Return(jobs::Payload value) {
    Flow flow;
    flow.returned_ = std::move(value);
    return flow;
  }
  static Flow Raise(absl::Status error) {
    Flow flow;
    flow.raised_ = std::move(error);
    return flow;
  }
  bool goes_on() const { return raised_.ok() && !returned_.has_value(); }
  bool raised() const { return !raised_.ok(); }
  const absl::Status& error() const { return raised_; }
  absl::StatusOr<jobs::Payload> Result() const {
    if (raised()) return raised_;
    return *returned_;
  }

 private:
  absl::Status raised_;
  std::optional<jobs::Payload> returned_;
};

struct Program {
  explicit Program(jobs::JobContext& c) : context(c), start(c.clock().Now()) {}

  jobs::JobContext& context;
  const base::Instant start;
  std::map<std::string, values::FutureId> names;
  std::map<std::string, json> results;
  json records = json::array();
  absl::Status error;  // what the nearest `except` handles
  int steps_left = kStepsMax;
};

base::Duration FromSeconds(double seconds) { return base::Duration(std::llround(seconds * 1e6)); }

absl::StatusOr<values::FutureId> FindId(const Program& program, const std::string& text) {
  if (const auto named = program.names.find(text); named != program.names.end()) return named->second;
  const std::optional<values::FutureId> id = values::FutureId::Parse(text == "self" ? program.context.id() : text);
  if (!id.has_value()) return jobs::InvalidInput(fmt::format("id: {} is no id and no name given before", Shown(text)));
  return *id;
}

absl::StatusOr<values::FutureId> IdOf(const Program& program, Input& input) {
  const std::string text = input.RequiredText("id", 128);
  if (!input.ok()) return input.status();
  return FindId(program, text);
}

std::string_view KindName(values::ErrorKind kind) {
  switch (kind) {
    case values::ErrorKind::kApplication:
      return "APPLICATION";
    case values::ErrorKind::kCancelled:
      return "CANCELLED";
    case values::ErrorKind::kTimedOut:
      return "TIMED_OUT";
    case values::ErrorKind::kQueueTimedOut:
      return "QUEUE_TIMED_OUT";
    case values::ErrorKind::kInterrupted:
      return "INTERRUPTED";
    case values::ErrorKind::kInvalidInput:
      return "INVALID_INPUT";
  }
  return "UNKNOWN";
}

json Describe(const absl::Status& error) {
  const values::OutcomeRef outcome = jobs::ToOutcome(error);
  json described = {
      {"kind", KindName(outcome->error->kind)}, {"type", outcome->error->type}, {"message", outcome->error->message}};
  if (outcome->error->cause != nullptr) described["cause"] = outcome->error->cause->type;
  return described;
}

Flow Record(Program& program, const json& step) {
  Input input = Input::FromJson(step, {"op", "value", "what", "of"});
  const std::string what = input.Text("what", 32);
  const std::string of = input.Text("of", 128);
  if (!input.ok()) return Flow::Raise(input.status());
  if (program.records.size() >= kRecordsMax) {
    return Flow::Raise(jobs::InvalidInput(fmt::format("more than {} records", kRecordsMax)));
  }
  if (what.empty()) {
    program.records.push_back(step.value("value", json()));
  } else if (what == "cancelling") {
    program.records.push_back(program.context.token().cancelling());
  } else if (what == "cancel_message") {
    program.records.push_back(program.context.token().message());
  } else if (what == "seconds") {
    program.records.push_back(std::chrono::duration<double>(program.context.clock().Now() - program.start).count());
  } else if (what == "attempt") {
    program.records.push_back(program.context.attempt());
  } else if (what == "error") {
    program.records.push_back(program.error.ok() ? json() : Describe(program.error));
  } else if (what == "result") {
    const auto found = program.results.find(of);
    program.records.push_back(found == program.results.end() ? json() : found->second);
  } else if (what == "id") {
    const absl::StatusOr<values::FutureId> id = FindId(program, of);
    if (!id.ok()) return Flow::Raise(id.status());
    program.records.push_back(id->ToText());
  } else {
    return Flow::Raise(jobs::InvalidInput(fmt::format(
        "what: {}, must be cancelling, cancel_message, seconds, attempt, error, result or id", Shown(what))));
  }
  return Flow::GoOn();
}

Flow Raise(const json& step) {
  Input input = Input::FromJson(step, {"op", "type", "message", "details"});
  const std::string type = input.Has("type") ? input.Text("type", 128) : "Exception";
  const std::string message = input.Text("message", 4096);
  if (!input.ok()) return Flow::Raise(input.status());
  if (step.at("op") == "raise_cancelled") return Flow::Raise(absl::CancelledError(message));
  const json* details = input.Find("details");
  return Flow::Raise(jobs::Failure(type, message, details == nullptr ? jobs::Payload() : jobs::JsonPayload(*details)));
}

Flow ReportProgress(Program& program, const json& step) {
  Input input = Input::FromJson(step, {"op", "fraction", "message"});
  const double fraction = input.Number("fraction", 0, 0, 1);
  std::string message = input.Text("message", 4096);
  if (!input.ok()) return Flow::Raise(input.status());
  program.context.ReportProgress(fraction, std::move(message));
  return Flow::GoOn();
}

Flow Uncancel(Program& program, const json& step) {
  Input input = Input::FromJson(step, {"op", "as"});
  const std::string as = input.Text("as", 128);
  if (!input.ok()) return Flow::Raise(input.status());
  program.results[as] = program.context.Uncancel();
  return Flow::GoOn();
}

coro::Task<Flow> Sleep(Program* program, const json* step) {
  Input input = Input::FromJson(*step, {"op", "seconds"});
  const double seconds = input.Number("seconds", 0, 0, kSecondsMax);
  if (!input.ok()) co_return Flow::Raise(input.status());
  absl::Status slept = co_await program->context.Sleep(FromSeconds(seconds));
  if (!slept.ok()) co_return Flow::Raise(std::move(slept));
  co_return Flow::GoOn();
}

coro::Task<Flow> Await(Program* program, const json* step) {
  Input input = Input::FromJson(*step, {"op", "id", "as"});
  const std::string as = input.Text("as", 128);
  const absl::StatusOr<values::FutureId> id = IdOf(*program, input);
  if (!id.ok()) co_return Flow::Raise(id.status());
  absl::StatusOr<jobs::Payload> value = co_await program->context.AwaitValue(*id);
  if (!value.ok()) co_return Flow::Raise(value.status());
  if (!as.empty()) {
    absl::StatusOr<json> parsed = jobs::ParseJson(*value);
    program->results[as] = parsed.ok() ? *std::move(parsed) : json(value->body());
  }
  co_return Flow::GoOn();
}

coro::Task<Flow> Cancel(Program* program, const json* step) {
  Input input = Input::FromJson(*step, {"op", "id", "message", "as"});
  const std::string as = input.Text("as", 128);
  std::string message = input.Text("message", 4096);
  const absl::StatusOr<values::FutureId> id = IdOf(*program, input);
  if (!id.ok()) co_return Flow::Raise(id.status());
  absl::StatusOr<core::CancelEffect> effect = co_await program->context.Cancel(*id, std::move(message));
  if (!effect.ok()) co_return Flow::Raise(effect.status());
  constexpr const char* kNames[] = {"CANCELLED", "REQUESTED", "ALREADY_DONE", "NOT_FOUND"};
  if (!as.empty()) program->results[as] = kNames[static_cast<size_t>(*effect)];
  co_return Flow::GoOn();
}

coro::Task<Flow> Submit(Program* program, const json* step) {
  Input input = Input::FromJson(*step, {"op", "function", "input", "as", "name", "group", "delay_seconds",
                                        "queue_timeout_seconds", "run_timeout_seconds"});
  jobs::ChildCall call;
  call.function = input.RequiredText("function", 128);
  const std::string as = input.RequiredText("as", 128);
  call.options.name = input.Text("name", 256);
  call.options.group = input.Text("group", 256);
  call.options.delay = FromSeconds(input.Number("delay_seconds", 0, 0, kSecondsMax));
  if (input.Has("queue_timeout_seconds")) {
    call.options.queue_timeout = FromSeconds(input.Number("queue_timeout_seconds", 0, 0, kSecondsMax));
  }
  if (input.Has("run_timeout_seconds")) {
    call.options.run_timeout = FromSeconds(input.Number("run_timeout_seconds", 0, 0, kSecondsMax));
  }
  if (!input.ok()) co_return Flow::Raise(input.status());
  if (const json* argument = input.Find("input")) call.input = jobs::JsonPayload(*argument);
  absl::StatusOr<values::FutureId> id = co_await program->context.Submit(std::move(call));
  if (!id.ok()) co_return Flow::Raise(id.status());
  program->names[as] = *id;
  co_return Flow::GoOn();
}

// gather, shield, wait_for and promise as a spec.
absl::StatusOr<values::FutureSpec> SpecOf(const Program& program, const std::string& op, Input& input) {
  if (op == "promise") return values::FutureSpec(values::PromiseSpec());
  if (op == "gather") {
    values::GatherSpec gather;
    gather.return_exceptions = input.Bool("return_exceptions", false);
    const json* ids = input.Find("ids");
    if (ids == nullptr || !ids->is_array()) return jobs::InvalidInput("ids: must be an array");
    for (const json& id : *ids) {
      if (!id.is_string()) return jobs::InvalidInput(fmt::format("ids: {}, must be a string", Shown(id)));
      MUSTER_ASSIGN_OR_RETURN(const values::FutureId member, FindId(program, id.get<std::string>()));
      gather.members.push_back(member);
    }
    return values::FutureSpec(std::move(gather));
  }
  MUSTER_ASSIGN_OR_RETURN(const values::FutureId inner, IdOf(program, input));
  if (op == "shield") return values::FutureSpec(values::ShieldSpec{inner});
  values::WaitForSpec wait_for;
  wait_for.inner = inner;
  if (input.Has("timeout_seconds")) {
    wait_for.timeout = FromSeconds(input.Number("timeout_seconds", 0, -kSecondsMax, kSecondsMax));
  }
  if (input.Has("grace_seconds")) wait_for.grace = FromSeconds(input.Number("grace_seconds", 0, 0, kSecondsMax));
  return values::FutureSpec(std::move(wait_for));
}

coro::Task<Flow> Combine(Program* program, const json* step) {
  Input input =
      Input::FromJson(*step, {"op", "id", "ids", "as", "return_exceptions", "timeout_seconds", "grace_seconds"});
  const std::string as = input.RequiredText("as", 128);
  absl::StatusOr<values::FutureSpec> spec = SpecOf(*program, step->at("op"), input);
  if (!input.ok()) co_return Flow::Raise(input.status());
  if (!spec.ok()) co_return Flow::Raise(spec.status());
  absl::StatusOr<values::FutureId> id = co_await program->context.Combine(*std::move(spec));
  if (!id.ok()) co_return Flow::Raise(id.status());
  program->names[as] = *id;
  co_return Flow::GoOn();
}

coro::Task<Flow> Run(Program* program, const json* steps, int depth);

coro::Task<Flow> Try(Program* program, const json* step, int depth) {
  Input input = Input::FromJson(*step, {"op", "body", "except", "finally", "catch"});
  const bool swallow = step->at("op") == "swallow_cancel";
  const std::string kinds = swallow ? "cancelled" : input.Has("catch") ? input.Text("catch", 16) : "all";
  if (kinds != "cancelled" && kinds != "error" && kinds != "all") {
    input.Fail(fmt::format("catch: {}, must be cancelled, error or all", Shown(kinds)));
  }
  if (!input.ok()) co_return Flow::Raise(input.status());
  Flow flow = co_await Run(program, input.Find("body"), depth);
  const bool is_cancelled = flow.raised() && absl::IsCancelled(flow.error());
  const bool caught = flow.raised() && (kinds == "all" || (kinds == "cancelled") == is_cancelled);
  if (caught) {
    const absl::Status outer = std::exchange(program->error, flow.error());
    flow = co_await Run(program, input.Find("except"), depth);
    program->error = outer;
  }
  if (input.Has("finally")) {
    Flow last = co_await Run(program, input.Find("finally"), depth);
    if (!last.goes_on()) flow = std::move(last);
  }
  co_return std::move(flow);
}

coro::Task<Flow> Repeat(Program* program, const json* step, int depth) {
  Input input = Input::FromJson(*step, {"op", "times", "body"});
  const int64_t times = input.Integer("times", 1, 0, kStepsMax);
  if (!input.ok()) co_return Flow::Raise(input.status());
  for (int64_t i = 0; i < times; ++i) {
    Flow flow = co_await Run(program, input.Find("body"), depth);
    if (!flow.goes_on()) co_return std::move(flow);
  }
  co_return Flow::GoOn();
}

coro::Task<Flow> Step(Program* program, const json* step, int depth) {
  const bool has_op = step->is_object() && step->contains("op") && step->at("op").is_string();
  const std::string op = has_op ? step->at("op").get<std::string>() : std::string();
  if (op == "record") co_return Record(*program, *step);
  if (op == "raise" || op == "raise_cancelled") co_return Raise(*step);
  if (op == "progress") co_return ReportProgress(*program, *step);
  if (op == "uncancel") co_return Uncancel(*program, *step);
  if (op == "return") {
    co_return Flow::Return(jobs::JsonPayload(step->contains("value") ? step->at("value") : program->records));
  }
  if (op == "sleep") co_return co_await Sleep(program, step);
  if (op == "await") co_return co_await Await(program, step);
  if (op == "cancel") co_return co_await Cancel(program, step);
  if (op == "submit") co_return co_await Submit(program, step);
  if (op == "try" || op == "swallow_cancel") co_return co_await Try(program, step, depth);
  if (op == "repeat") co_return co_await Repeat(program, step, depth);
  if (op == "gather" || op == "shield" || op == "wait_for" || op == "promise")
    co_return co_await Combine(program, step);
  co_return Flow::Raise(jobs::InvalidInput(fmt::format("step {}: no known op", Shown(*step))));
}

coro::Task<Flow> Run(Program* program, const json* steps, int depth) {
  if (steps == nullptr) co_return Flow::GoOn();
  if (!steps->is_array())
    co_return Flow::Raise(jobs::InvalidInput(fmt::format("steps: {}, must be an array", Shown(*steps))));
  if (depth >= kDepthMax) {
    co_return Flow::Raise(jobs::InvalidInput(fmt::format("steps nest deeper than {} levels", kDepthMax)));
  }
  for (const json& step : *steps) {
    if (--program->steps_left < 0) {
      co_return Flow::Raise(jobs::InvalidInput(fmt::format("more than {} steps", kStepsMax)));
    }
    Flow flow = co_await Step(program, &step, depth + 1);
    if (!flow.goes_on()) co_return std::move(flow);
  }
  co_return Flow::GoOn();
}

coro::Task<absl::StatusOr<jobs::Payload>> TestProgram(jobs::JobContext& context, jobs::Payload payload) {
  MUSTER_CO_ASSIGN_OR_RETURN(const json document, jobs::ParseJson(payload));
  if (!document.is_array()) {
    co_return jobs::InvalidInput(fmt::format("the input is {}, must be an array of steps", Shown(document)));
  }
  Program program(context);
  Flow flow = co_await Run(&program, &document, 0);
  if (flow.goes_on()) co_return jobs::JsonPayload(program.records);
  co_return flow.Result();
}

constexpr char kDescription[] =
    "Runs a program of steps, for tests of what a job's body may do. The input is an array of {\"op\": ...}: sleep "
    "{seconds}; record {value} or {what: cancelling, cancel_message, seconds, attempt, error, result, id; of}; return "
    "{value} (the records when absent); raise {type, message, details}; raise_cancelled {message}; try {body, except, "
    "finally, catch: cancelled, error or all}; swallow_cancel {body}; repeat {times, body}; progress {fraction, "
    "message}; "
    "submit {function, input, name, group, delay_seconds, queue_timeout_seconds, run_timeout_seconds, as}; promise "
    "{as}; gather {ids, return_exceptions, as}; shield {id, as}; wait_for {id, timeout_seconds, grace_seconds, as}; "
    "await {id, as}; cancel {id, message, as}; uncancel {as}. An id is a future's, \"self\", or a name given by "
    "\"as\". "
    "At most 10000 steps, nested 16 deep. Returns the records.";

}  // namespace

absl::Status RegisterTestProgram(jobs::Registry& registry) {
  return registry.AddAsync(
      "test.program", kDescription,
      jobs::JsonPayload(
          {{{"op", "sleep"}, {"seconds", 1}}, {{"op", "record"}, {"what", "seconds"}}, {{"op", "return"}}}),
      TestProgram);
}

}  // namespace muster::functions
