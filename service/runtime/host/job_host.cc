// ShardHost's side of its jobs: what the places report of them, and what their bodies ask of the service.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "service/jobs/utf8.h"
#include "service/runtime/calls/submission.h"
#include "service/runtime/host/router.h"
#include "service/runtime/host/shard_host.h"
#include "service/values/field.h"
#include "service/values/options.h"

namespace muster::runtime {
namespace {

// A job awaits one future. A cancel of the job goes on to that future, and what becomes of it is the answer; so the
// token's cancel never ends this wait itself (semantics 12).
class AwaitAnswer final : public coro::Suspension, public Receiver {
 public:
  AwaitAnswer(ShardHost& host, const dispatch::Awaiting& awaiting, values::FutureId target)
      : Suspension(*awaiting.token),
        host_(host),
        awaiting_(awaiting),
        target_(target),
        token_(host.requests().Add(this)) {}
  ~AwaitAnswer() override { host_.requests().Remove(token_); }

  core::Token request() const { return token_; }
  bool await_ready() const { return ended_.has_value(); }
  bool await_suspend(coro::Continuation waiter) {
    beginning_ = true;
    const bool suspends = Suspend(waiter);
    beginning_ = false;
    return suspends;
  }
  // Whether the cancel that was pending has been met is the core's to say: it went to the target only where that was
  // not done.
  absl::Status await_resume() {
    absl::Status resumed = Resume();
    if (!resumed.ok() || !ended_.has_value()) return resumed;
    if (deferred_ && !ended_->met_cancel) GiveBackCancel();
    if (!deferred_ && ended_->met_cancel) static_cast<void>(token().TakePending());
    return resumed;
  }
  core::AwaitEnded& ended() { return *ended_; }

 private:
  void OnEffect(core::Effect&& effect) override {
    ended_ = std::get<core::AwaitEnded>(std::move(effect));
    if (suspended()) Wake();
  }
  CancelReply OnCancel() override {
    if (std::exchange(beginning_, false)) {  // it was pending, and the core has been told of it
      deferred_ = true;
      return CancelReply::kForwarded;
    }
    // Nothing is cancelled or ends any more: the server does, and takes the body alone along.
    if (host_.frozen()) return CancelReply::kWake;
    // The end of a server that keeps nothing: the awaited future is cancelled, as asyncio does.
    core::Cancel cancel;
    cancel.ns = awaiting_.ns;
    cancel.set.ids.push_back(target_);
    cancel.message = token().message();
    const Router router(host_);
    router.Send(router.ShardOf(target_), std::move(cancel));
    return CancelReply::kForwarded;
  }

  ShardHost& host_;
  const dispatch::Awaiting awaiting_;
  const values::FutureId target_;
  const core::Token token_;
  std::optional<core::AwaitEnded> ended_;
  bool beginning_ = false;  // within Suspend
  bool deferred_ = false;   // a cancel was pending then
};

}  // namespace

void ShardHost::OnReport(dispatch::Report&& report) {
  if (auto* ended = std::get_if<dispatch::Ended>(&report)) return Apply(ended->id.shard, std::move(*ended));
  if (auto* started = std::get_if<dispatch::Started>(&report)) return Apply(started->id.shard, std::move(*started));
  if (auto* progressed = std::get_if<dispatch::Progressed>(&report)) {
    return Apply(progressed->id.shard, std::move(*progressed));
  }
  auto& lost = std::get<dispatch::Lost>(report);
  Apply(lost.id.shard, std::move(lost));
}

const std::string& ShardHost::NamespaceName(values::NamespaceId id) const { return around_.namespaces.Name(id); }

coro::Task<absl::StatusOr<values::FutureId>> ShardHost::Submit(core::Submit command) {
  // A body's words are checked by the same rule as a client's.
  if (command.options != nullptr) {
    absl::Status checked = values::CheckOptions(*command.options, around_.admission.limits(), values::Path("options"));
    if (!checked.ok()) co_return checked;
  }
  absl::StatusOr<SubmitAnswer> answer = co_await SubmitOn(Router(*this), std::move(command));
  if (!answer.ok()) co_return answer.status();
  co_return answer->id;
}

coro::Task<absl::StatusOr<values::OutcomeRef>> ShardHost::Await(dispatch::Awaiting awaiting, values::FutureId target) {
  AwaitAnswer answer(*this, awaiting, target);
  core::Await command;
  command.token = answer.request();
  command.ns = awaiting.ns;
  command.job = awaiting.job;
  command.attempt = awaiting.attempt;
  command.target = target;
  if (awaiting.token->cancel_pending()) command.pending_cancel = awaiting.token->message();
  Apply(awaiting.job.shard, std::move(command));
  absl::Status resumed = co_await answer;
  if (!resumed.ok()) co_return resumed;
  if (!answer.ended().refusal.ok()) co_return answer.ended().refusal;
  co_return answer.ended().completion.outcome;
}

coro::Task<absl::StatusOr<core::CancelEffect>> ShardHost::Cancel(values::NamespaceId ns, values::FutureId target,
                                                                 std::string message) {
  core::Cancel command;
  command.ns = ns;
  command.set.ids.push_back(target);
  command.message = jobs::MendUtf8(std::move(message));
  const Router router(*this);
  auto asked = router.Ask(router.ShardOf(target), std::move(command));
  const core::CancelAnswered& answer = co_await asked;
  if (!answer.refusal.ok()) co_return answer.refusal;
  co_return answer.effects.front().second;
}

void ShardHost::Uncancel(core::Uncancel&& command) { Apply(command.id.shard, std::move(command)); }

}  // namespace muster::runtime
