// The verbs that make futures and settle promises.
#include <utility>
#include <variant>

#include "service/runtime/calls/call.h"
#include "service/runtime/calls/submission.h"
#include "service/runtime/service_impl.h"

namespace muster::runtime {
namespace {

// For one who awaits what it submits. A job that can't be submitted again is nobody else's, so it goes with its
// delivery; anything else stays for the retention that was asked for: it has a request id to be found by, or an outcome
// that only Gather can bring.
void Attach(base::Duration call_retention, core::Submit& command) {
  command.attach = true;
  const bool repeatable = command.options != nullptr && !command.options->request_id.empty();
  command.drop_when_delivered = !repeatable && std::holds_alternative<values::JobSpec>(command.spec);
  if (command.drop_when_delivered) command.retention = call_retention;
}

}  // namespace

coro::Task<absl::StatusOr<SubmitAnswer>> Service::Submit(core::Submit command) {
  co_return co_await SubmitOn(impl_->Here(), std::move(command));
}

coro::Task<absl::StatusOr<core::Completion>> Service::Call(core::Submit command, coro::CancelToken& token,
                                                           bool cancel_on_disconnect) {
  const Router router = impl_->Here();
  Admission& admission = impl_->admission;
  if (absl::Status room = admission.Admit(command); !room.ok()) co_return room;
  absl::StatusOr<WaitPermit> permit = admission.TryCaller();
  if (!permit.ok()) co_return permit.status();
  CallAnswer answer(router, token);
  command.token = answer.request();
  Attach(impl_->options.call_retention, command);
  const values::ShardIndex shard = PlaceFor(router, command);
  const values::NamespaceId ns = command.ns;
  router.Send(shard, std::move(command));
  absl::Status resumed = co_await answer;
  // A cancel that came while the submit was under way ends the wait without a CancelledError of its own.
  const bool left = !resumed.ok() || token.cancelling() > 0;
  if (!answer.refusal().ok() && !left) {
    admission.CountRefused(answer.refusal());
    co_return answer.refusal();
  }
  if (resumed.ok() && answer.has_completion()) co_return std::move(answer.completion());
  router.Detach(shard, answer.request());
  if (cancel_on_disconnect && answer.id()) {
    core::Cancel cancel;
    cancel.ns = ns;
    cancel.set.ids.push_back(answer.id());
    cancel.message = "the caller went away";
    router.Send(router.ShardOf(answer.id()), std::move(cancel));
  }
  co_return absl::CancelledError(token.message());
}

core::Token Service::SubmitAttached(core::Submit command, CallReceiver* receiver) {
  const Router router = impl_->Here();
  if (absl::Status room = impl_->admission.Admit(command); !room.ok()) {
    receiver->OnRejected(room);
    return core::kNoToken;
  }
  const values::ShardIndex shard = PlaceFor(router, command);
  auto* call = new AttachedCall(router, shard, receiver);
  bool ended = false;
  call->set_ended_flag(&ended);
  const core::Token token = call->request();
  command.token = token;
  Attach(impl_->options.call_retention, command);
  router.Send(shard, std::move(command));
  if (ended) return core::kNoToken;
  call->set_ended_flag(nullptr);
  return token;
}

void Service::DetachAttached(core::Token handle) {
  const Router router = impl_->Here();
  auto* call = static_cast<AttachedCall*>(router.here().requests().Find(handle));
  if (call == nullptr) return;
  router.Detach(call->shard(), handle);
  delete call;
}

coro::Task<absl::StatusOr<values::State>> Service::SettlePromise(core::SettlePromise command) {
  const Router router = impl_->Here();
  const values::ShardIndex shard = router.ShardOf(command.id);
  auto asked = router.Ask(shard, std::move(command));
  const core::PromiseSettled& settled = co_await asked;
  if (!settled.refusal.ok()) co_return settled.refusal;
  co_return settled.state;
}

}  // namespace muster::runtime
