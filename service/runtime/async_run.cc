#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "fmt/format.h"

#include "service/base/check.h"
#include "service/base/reason.h"
#include "service/coro/sleep.h"
#include "service/jobs/error.h"
#include "service/runtime/answer.h"
#include "service/runtime/job_run.h"
#include "service/runtime/submission.h"

namespace muster::runtime {
namespace {

// A job awaits one future. A cancel of the job goes on to that future, and what becomes of it is the answer; so the
// token's cancel never ends this wait itself (semantics 12).
class AwaitAnswer final : public coro::Suspension, public Receiver {
 public:
  AwaitAnswer(ShardRunner& runner, AsyncRun& run, values::NamespaceId ns, values::FutureId target)
      : Suspension(run.token()),
        runner_(runner),
        run_(run),
        ns_(ns),
        target_(target),
        token_(runner.requests().Add(this)) {}
  ~AwaitAnswer() override { runner_.requests().Remove(token_); }

  core::Token request() const { return token_; }
  bool await_ready() const { return ended_.has_value(); }
  bool await_suspend(coro::Continuation waiter) { return Suspend(waiter); }
  absl::Status await_resume() { return Resume(); }
  core::AwaitEnded& ended() { return *ended_; }

 private:
  void OnEffect(core::Effect&& effect) override {
    ended_ = std::get<core::AwaitEnded>(std::move(effect));
    if (suspended()) Wake();
  }
  CancelReply OnCancel() override {
    if (run_.forwarding()) return CancelReply::kForwarded;
    // Nothing is cancelled or ends any more: the server does, and takes the body alone along.
    if (runner_.frozen()) return CancelReply::kWake;
    // A cancel that was pending when the body began to await: asyncio cancels the awaited future with it.
    core::Cancel cancel;
    cancel.ns = ns_;
    cancel.set.ids.push_back(target_);
    cancel.message = token().message();
    runner_.Send(TargetShard(runner_.shared(), target_), std::move(cancel));
    return CancelReply::kForwarded;
  }

  ShardRunner& runner_;
  AsyncRun& run_;
  const values::NamespaceId ns_;
  const values::FutureId target_;
  const core::Token token_;
  std::optional<core::AwaitEnded> ended_;
};

}  // namespace

AsyncRun::AsyncRun(ShardRunner& runner, const jobs::Function& function, core::StartJob&& start)
    : Runnable(&Begin),
      runner_(runner),
      function_(function),
      start_(std::move(start)),
      name_space_(runner.shared().namespaces.Name(start_.ns)) {}

AsyncRun::~AsyncRun() { runner_.dispatcher().Forget(*this); }

const jobs::Metadata& AsyncRun::metadata() const {
  static const jobs::Metadata kNone;
  return start_.options ? start_.options->metadata : kNone;
}

void AsyncRun::Begin(coro::Runnable& self) {
  auto* run = static_cast<AsyncRun*>(&self);
  if (run->withdrawn_) {
    delete run;
    return;
  }
  run->started_ = run->runner_.TurnTime();
  if (run->start_.at_most_once && run->runner_.journaled()) {
    // Only once it is recorded that it runs: whatever happens then, it is not run again.
    run->SayStarted();
    run->runner_.WhenDurable(run->recorded_);
    return;
  }
  run->RunBody();
}

void AsyncRun::OnRecorded() {
  if (recorded_.durable) return RunBody();
  End(jobs::ToOutcome(absl::CancelledError("the start could not be recorded")));
}

void AsyncRun::RunBody() {
  AsyncRun* run = this;
  if (absl::Status cancelled = run->token_.TakePending(); !cancelled.ok()) {
    run->End(jobs::ToOutcome(std::move(cancelled)));
    return;
  }
  coro::Task<absl::StatusOr<jobs::Payload>> body = run->function_.async(*run, std::move(run->start_.input));
  bool ended = false;
  run->ended_ = &ended;
  body.Launch(&OnBodyDone, run).resume();
  if (ended) return;
  run->ended_ = nullptr;
  run->SayStarted();
}

void AsyncRun::OnBodyDone(coro::detail::TaskPromiseBase& base, void* owner) {
  auto* run = static_cast<AsyncRun*>(owner);
  using Promise = coro::detail::TaskPromise<absl::StatusOr<jobs::Payload>>;
  auto& promise = static_cast<Promise&>(base);
  values::OutcomeRef outcome;
  try {
    absl::StatusOr<jobs::Payload> result = promise.TakeResult();
    // A cancel that found no await to end is not lost: a body that returns over it ends cancelled, as Task.__step has
    // it. An exception stands.
    if (result.ok()) {
      if (absl::Status cancelled = run->token_.TakePending(); !cancelled.ok()) result = std::move(cancelled);
    }
    outcome = jobs::ToOutcome(std::move(result));
  } catch (const std::exception& e) {  // a function is somebody else's code, and may throw
    outcome = jobs::ToOutcome(jobs::Failure("Exception", e.what()));
  } catch (...) {
    outcome = jobs::ToOutcome(jobs::Failure("Exception", "the function threw something that is no std::exception"));
  }
  std::coroutine_handle<Promise>::from_promise(promise).destroy();
  if (run->ended_ != nullptr) *run->ended_ = true;
  run->End(std::move(outcome));
}

void AsyncRun::SayStarted() {
  if (said_started_) return;
  said_started_ = true;
  core::JobStarted started;
  started.id = start_.id;
  started.attempt = start_.attempt;
  runner_.Apply(start_.id.shard, std::move(started));
}

void AsyncRun::End(values::OutcomeRef outcome) {
  core::JobEnded ended;
  ended.id = start_.id;
  ended.attempt = start_.attempt;
  ended.outcome = std::move(outcome);
  ended.started = started_;
  ShardRunner& runner = runner_;
  delete this;
  runner.ReadTime();
  runner.Apply(ended.id.shard, std::move(ended));
}

void AsyncRun::DeliverCancel(const core::CancelJob& cancel) {
  forwarding_ = cancel.forwarded;
  // The count is the core's and could be anything; past a point more of it tells a body nothing.
  constexpr uint32_t kTimesMax = 64;
  for (uint32_t i = 0; i < std::min(cancel.times, kTimesMax); ++i) token_.Cancel(cancel.message);
  forwarding_ = false;
}

void AsyncRun::ReportProgress(double fraction, std::string message) {
  SayStarted();
  core::JobProgress progress;
  progress.id = start_.id;
  progress.attempt = start_.attempt;
  progress.fraction = fraction;
  progress.message = std::move(message);
  runner_.Apply(start_.id.shard, std::move(progress));
}

coro::Task<absl::Status> AsyncRun::Sleep(base::Duration delay) { co_return co_await coro::Sleep(token_, delay); }

coro::Task<absl::StatusOr<values::FutureId>> AsyncRun::Submit(jobs::ChildCall call) {
  const jobs::Function* function = runner_.shared().registry.Find(call.function);
  if (function == nullptr) {
    co_return base::Refuse(base::Reason::kUnknownFunction,
                           fmt::format("no function named \"{}\" is registered", call.function), "function");
  }
  absl::Status checked = values::CheckOptions(call.options, runner_.shared().options.limits, values::Path("options"));
  if (!checked.ok()) co_return checked;
  SayStarted();
  values::JobSpec spec;
  spec.function = function->id;
  spec.kind = function->kind;
  spec.input = std::move(call.input);
  core::Submit command;
  command.ns = start_.ns;
  command.ns_tag = start_.id.ns_tag;
  command.spec = std::move(spec);
  if (call.options.metadata.empty()) call.options.metadata = metadata();
  command.options = std::make_unique<values::Options>(std::move(call.options));
  absl::StatusOr<SubmitAnswer> answer = co_await SubmitOn(runner_, std::move(command));
  if (!answer.ok()) co_return answer.status();
  co_return answer->id;
}

coro::Task<absl::StatusOr<values::FutureId>> AsyncRun::Combine(values::FutureSpec spec) {
  SayStarted();
  core::Submit command;
  command.ns = start_.ns;
  command.ns_tag = start_.id.ns_tag;
  command.spec = std::move(spec);
  absl::StatusOr<SubmitAnswer> answer = co_await SubmitOn(runner_, std::move(command));
  if (!answer.ok()) co_return answer.status();
  co_return answer->id;
}

coro::Task<absl::StatusOr<values::OutcomeRef>> AsyncRun::Await(values::FutureId target) {
  SayStarted();
  AwaitAnswer answer(runner_, *this, start_.ns, target);
  core::Await command;
  command.token = answer.request();
  command.ns = start_.ns;
  command.job = start_.id;
  command.attempt = start_.attempt;
  command.target = target;
  runner_.Apply(start_.id.shard, std::move(command));
  absl::Status resumed = co_await answer;
  if (!resumed.ok()) co_return resumed;
  if (!answer.ended().refusal.ok()) co_return answer.ended().refusal;
  co_return answer.ended().completion.outcome;
}

coro::Task<absl::StatusOr<core::CancelEffect>> AsyncRun::Cancel(values::FutureId target, std::string message) {
  SayStarted();
  Answer<core::CancelAnswered> answer(runner_);
  core::Cancel command;
  command.token = answer.request();
  command.ns = start_.ns;
  command.set.ids.push_back(target);
  command.message = std::move(message);
  runner_.Send(TargetShard(runner_.shared(), target), std::move(command));
  co_await answer;
  if (!answer.effect().refusal.ok()) co_return answer.effect().refusal;
  co_return answer.effect().effects.front().second;
}

int AsyncRun::Uncancel() {
  SayStarted();
  core::Uncancel command;
  command.id = start_.id;
  command.attempt = start_.attempt;
  runner_.Apply(start_.id.shard, std::move(command));
  return token_.Uncancel();
}

}  // namespace muster::runtime
