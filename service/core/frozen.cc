// A shard that nothing changes any more: what can still be read, and how the rest is refused.
#include "service/core/detail/shard_impl.h"

namespace muster::core {

void Shard::Impl::Freeze(uint64_t durable_batch, absl::Status refusal) {
  durable_batch_ = durable_batch;
  frozen_refusal_ = std::move(refusal);
}

absl::Status Shard::Impl::CheckReadable() const {
  if (!frozen()) return absl::OkStatus();
  return taken_batch_ > durable_batch_ || HasUntaken() ? frozen_refusal_ : absl::OkStatus();
}

void Shard::Impl::WhileFrozen(const core::Submit& command) {
  Submitted answer;
  answer.token = command.token;
  answer.refusal = frozen_refusal_;
  Emit(std::move(answer));
}

void Shard::Impl::WhileFrozen(const core::SettlePromise& command) {
  PromiseSettled answer;
  answer.token = command.token;
  answer.refusal = frozen_refusal_;
  Emit(std::move(answer));
}

void Shard::Impl::WhileFrozen(const core::Cancel& command) {
  CancelAnswered answer;
  answer.token = command.token;
  answer.refusal = frozen_refusal_;
  Emit(std::move(answer));
}

void Shard::Impl::WhileFrozen(const core::Delete& command) {
  Deleted answer;
  answer.token = command.token;
  answer.refusal = frozen_refusal_;
  Emit(std::move(answer));
}

void Shard::Impl::WhileFrozen(const core::Await& command) { RefuseAwait(command, frozen_refusal_); }

// What was done, and recorded, before may be seen; what is not done will not be.
void Shard::Impl::WhileFrozen(const core::AttachWait& command) {
  Resolved resolved = Resolve(command.ns, command.set, false);
  WaitEnded ended;
  ended.token = command.token;
  ended.refusal = resolved.refusal;
  // What is not there may be there again after the restart.
  const bool of_what_is_there = resolved.refusal.ok() && command.set.group.empty();
  if (!of_what_is_there && !CheckReadable().ok()) ended.refusal = frozen_refusal_;
  for (const Future* member : resolved.members) {
    if (ended.refusal.ok() && (Unsaved(*member) || !member->done())) ended.refusal = frozen_refusal_;
  }
  if (!ended.refusal.ok()) return Emit(std::move(ended));
  ReportWait(command.token, WaitEnd::kSatisfied, command.take_outcomes, resolved.members);
}

void Shard::Impl::WhileFrozen(const core::AttachStream& command) {
  StreamAttached attached;
  attached.token = command.token;
  attached.refusal = frozen_refusal_;
  Emit(std::move(attached));
}

void Shard::Impl::WhileFrozen(const core::Detach& command) { Detach(command); }

}  // namespace muster::core
