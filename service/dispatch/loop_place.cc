#include "service/dispatch/loop_place.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "fmt/format.h"

#include "service/base/block_pool.h"
#include "service/base/reason.h"
#include "service/coro/cancel.h"
#include "service/coro/runnable.h"
#include "service/coro/sleep.h"
#include "service/jobs/context.h"
#include "service/jobs/error.h"
#include "service/jobs/utf8.h"

namespace muster::dispatch {
namespace {

coro::Task<absl::StatusOr<values::FutureId>> Refused(absl::Status refusal) { co_return refusal; }

}  // namespace

// A body that is a coroutine. Deletes itself when it has ended or was withdrawn.
class LoopPlace::Body final : public dispatch::Run,
                              public coro::Runnable,
                              public jobs::JobContext,
                              public base::Pooled {
 public:
  Body(LoopPlace& loop_place, const jobs::Function& function, core::StartJob&& s)
      : dispatch::Run(std::move(s), &loop_place),
        coro::Runnable(&Begin),
        place_(loop_place),
        host_(loop_place.host_),
        function_(function) {}
  ~Body() override { place_.runs_.Remove(*this); }

  // It never started and never will (semantics 7); it goes away when the ready list comes to it.
  void Withdraw() { withdrawn_ = true; }
  void DeliverCancel(const core::CancelJob& cancel);

  // jobs::BlockingContext
  std::string id() const override { return start.id.ToText(); }
  std::string_view name_space() const override { return host_.NamespaceName(start.ns); }
  uint32_t attempt() const override { return start.attempt; }
  uint32_t epoch() const override { return host_.epoch(); }
  const jobs::Metadata& metadata() const override;
  base::Instant deadline() const override { return start.run_deadline; }
  const base::Clock& clock() const override { return host_.loop().clock(); }
  bool cancelled() const override { return token_.cancelling() > 0; }
  void ReportProgress(double fraction, std::string message) override;

  // jobs::JobContext
  coro::CancelToken& token() override { return token_; }
  coro::Task<absl::Status> Sleep(base::Duration delay) override;
  coro::Task<absl::StatusOr<values::FutureId>> Submit(jobs::ChildCall call) override;
  coro::Task<absl::StatusOr<values::FutureId>> Combine(values::FutureSpec spec) override;
  coro::Task<absl::StatusOr<values::OutcomeRef>> Await(values::FutureId target) override;
  coro::Task<absl::StatusOr<core::CancelEffect>> Cancel(values::FutureId target, std::string message) override;
  int Uncancel() override;

 private:
  static void Begin(coro::Runnable& self);
  void RunBody();
  void OnRecorded();
  static void OnBodyDone(coro::detail::TaskPromiseBase& promise, void* run);
  // Tells the core that the body runs, once; a body that ends at once is told of by its end alone.
  void SayStarted();
  void End(values::OutcomeRef outcome);

  LoopPlace& place_;
  Host& host_;
  const jobs::Function& function_;
  coro::CancelToken token_;
  base::Instant started_{};
  bool withdrawn_ = false;
  bool said_started_ = false;
  bool* ended_ = nullptr;  // of RunBody, while it is on the stack
  struct Recorded final : DurableWaiter {
    explicit Recorded(Body& b)
        : DurableWaiter([](coro::Runnable& self) { static_cast<Recorded&>(self).body.OnRecorded(); }), body(b) {}
    Body& body;
  };
  Recorded recorded_{*this};
};

void LoopPlace::Start(const jobs::Function& function, core::StartJob&& start, const Waited& waited) {
  auto* body = new Body(*this, function, std::move(start));
  if (waited.cancel != nullptr) body->DeliverCancel(*waited.cancel);
  runs_.Add(*body);
  host_.loop().Schedule(*body);
}

void LoopPlace::Withdraw(Run& run) { static_cast<Body&>(run).Withdraw(); }

void LoopPlace::Cancel(Run& run, const core::CancelJob& cancel) { static_cast<Body&>(run).DeliverCancel(cancel); }

const jobs::Metadata& LoopPlace::Body::metadata() const {
  static const jobs::Metadata kNone;
  return start.options ? start.options->metadata : kNone;
}

void LoopPlace::Body::Begin(coro::Runnable& self) {
  auto* run = static_cast<Body*>(&self);
  if (run->withdrawn_) {
    delete run;
    return;
  }
  run->started_ = run->host_.TurnTime();
  if (run->start.at_most_once && run->host_.journaled()) {
    // Only once it is recorded that it runs: whatever happens then, it is not run again.
    run->SayStarted();
    run->host_.WhenDurable(run->recorded_);
    return;
  }
  run->RunBody();
}

void LoopPlace::Body::OnRecorded() {
  if (recorded_.durable) return RunBody();
  End(jobs::ToOutcome(absl::CancelledError("the start could not be recorded")));
}

void LoopPlace::Body::RunBody() {
  Body* run = this;
  if (absl::Status cancelled = run->token_.TakePending(); !cancelled.ok()) {
    run->End(jobs::ToOutcome(std::move(cancelled)));
    return;
  }
  coro::Task<absl::StatusOr<jobs::Payload>> body = run->function_.async(*run, std::move(run->start.input));
  bool ended = false;
  run->ended_ = &ended;
  body.Launch(&OnBodyDone, run).resume();
  if (ended) return;
  run->ended_ = nullptr;
  run->SayStarted();
}

void LoopPlace::Body::OnBodyDone(coro::detail::TaskPromiseBase& base, void* owner) {
  auto* run = static_cast<Body*>(owner);
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

void LoopPlace::Body::SayStarted() {
  if (said_started_) return;
  said_started_ = true;
  Started started;
  started.id = start.id;
  started.attempt = start.attempt;
  host_.OnReport(std::move(started));
}

void LoopPlace::Body::End(values::OutcomeRef outcome) {
  Ended ended;
  ended.id = start.id;
  ended.attempt = start.attempt;
  ended.outcome = std::move(outcome);
  ended.started = started_;
  Host& host = host_;
  delete this;
  host.ReadTime();
  host.OnReport(std::move(ended));
}

void LoopPlace::Body::DeliverCancel(const core::CancelJob& cancel) {
  // The count is the core's and could be anything; past a point more of it tells a body nothing.
  constexpr uint32_t kTimesMax = 64;
  for (uint32_t i = 0; i < std::min(cancel.times, kTimesMax); ++i) {
    if (cancel.counted_only) {
      token_.CountCancel(cancel.message);
    } else {
      token_.Cancel(cancel.message);
    }
  }
}

void LoopPlace::Body::ReportProgress(double fraction, std::string message) {
  SayStarted();
  Progressed progress;
  progress.id = start.id;
  progress.attempt = start.attempt;
  progress.fraction = fraction;
  progress.message = jobs::MendUtf8(std::move(message));
  host_.OnReport(std::move(progress));
}

coro::Task<absl::Status> LoopPlace::Body::Sleep(base::Duration delay) { co_return co_await coro::Sleep(token_, delay); }

coro::Task<absl::StatusOr<values::FutureId>> LoopPlace::Body::Submit(jobs::ChildCall call) {
  const Function* function = place_.directory_.Find(call.function);
  if (function == nullptr) {
    return Refused(base::Refuse(base::Reason::kUnknownFunction,
                                fmt::format("no function named \"{}\" is registered", call.function), "function"));
  }
  SayStarted();
  values::JobSpec spec;
  spec.function = function->id;
  spec.kind = function->kind;
  spec.input = std::move(call.input);
  core::Submit command;
  command.ns = start.ns;
  command.ns_tag = start.id.ns_tag;
  command.spec = std::move(spec);
  if (call.options.metadata.empty()) call.options.metadata = metadata();
  command.options = values::MakeOptions(std::move(call.options));
  return host_.Submit(std::move(command));
}

coro::Task<absl::StatusOr<values::FutureId>> LoopPlace::Body::Combine(values::FutureSpec spec) {
  SayStarted();
  core::Submit command;
  command.ns = start.ns;
  command.ns_tag = start.id.ns_tag;
  command.spec = std::move(spec);
  return host_.Submit(std::move(command));
}

coro::Task<absl::StatusOr<values::OutcomeRef>> LoopPlace::Body::Await(values::FutureId target) {
  SayStarted();
  Awaiting awaiting;
  awaiting.job = start.id;
  awaiting.attempt = start.attempt;
  awaiting.ns = start.ns;
  awaiting.token = &token_;
  return host_.Await(awaiting, target);
}

coro::Task<absl::StatusOr<core::CancelEffect>> LoopPlace::Body::Cancel(values::FutureId target, std::string message) {
  SayStarted();
  return host_.Cancel(start.ns, target, std::move(message));
}

int LoopPlace::Body::Uncancel() {
  SayStarted();
  core::Uncancel command;
  command.id = start.id;
  command.attempt = start.attempt;
  host_.Uncancel(std::move(command));
  return token_.Uncancel();
}

}  // namespace muster::dispatch
