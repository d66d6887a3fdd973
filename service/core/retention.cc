// Time and forgetting: what each timer means, and when a done future goes (semantics 100).
#include "service/base/check.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {

base::Instant Shard::Impl::NextDeadline() const {
  if (frozen()) return base::kNever;
  return doomed_.empty() ? timers_.NextDeadline() : now_;
}

void Shard::Impl::Tick(bool only_earliest) {
  const base::Instant until = only_earliest ? std::min(now_, timers_.NextDeadline()) : now_;
  while (base::Timer* timer = timers_.PopDue(until)) {
    OnTimer(*static_cast<ShardTimer*>(timer));
    Drain();
  }
}

void Shard::Impl::OnTimer(ShardTimer& timer) {
  switch (timer.of) {
    case ShardTimer::Of::kFuture:
      return OnFutureTimer(*static_cast<Future*>(timer.owner));
    case ShardTimer::Of::kWait:
      return EndWait(*static_cast<Wait*>(timer.owner), WaitEnd::kTimedOut);  // semantics 27
    case ShardTimer::Of::kStream:
      return StreamTimedOut(*static_cast<Stream*>(timer.owner));
    case ShardTimer::Of::kRequest:
      return ForgetRequest(*static_cast<RequestEntry*>(timer.owner));
  }
}

void Shard::Impl::OnFutureTimer(Future& future) {
  switch (future.state) {
    case State::kDelayed:
      Move(future, State::kQueued);
      return Start(future);
    case State::kQueued:
      return QueueTimedOut(future);
    case State::kRunning:
      return RunTimedOut(future);
    case State::kPending:
      return WaitForTimer(future);
    default:
      return Expire(future);
  }
}

// From now on only pins hold it.
void Shard::Impl::Expire(Future& future) {
  future.expired = true;
  if (future.pins == 0) return Doom(future);
  MarkChanged(future);
}

void Shard::Impl::Doom(Future& future) {
  if (future.doomed) return;
  future.doomed = true;
  doomed_.push_back(&future);
}

void Shard::Impl::ForgetDoomed() {
  for (size_t at = 0; at < doomed_.size(); ++at) {  // grows while gathers let go of their members
    doomed_[at]->doomed = false;
    if (doomed_[at]->pins == 0) Forget(*doomed_[at]);
  }
  doomed_.clear();
}

void Shard::Impl::Forget(Future& future) {
  MUSTER_CHECK(future.links.empty()) << "a future goes while somebody waits for it";
  if (future.announced) {
    Dropped& dropped = Emit<Dropped>();
    dropped.id = IdOf(future);
    dropped.ns = future.ns;
    dropped.kind = future.kind;
    dropped.function = future.function;
    dropped.state = future.state;
    dropped.unretrieved = future.state == State::kFailed && !future.retrieved;  // semantics 19
    dropped.outcome = std::move(future.outcome);
    dropped.bytes_held = -future.bytes;
    --announced_;
  }
  if (future.cold) {
    while (RequestEntry* entry = future.cold->requests.PopFront()) {
      entry->future = nullptr;
      timers_.Add(entry->timer, base::Later(now_, entry->window));
      MarkChanged(*entry);
    }
    if (future.cold->combinator) ReleaseMembers(future);
  }
  MarkGone(future);
  EraseFuture(future);
}

absl::Status Shard::Impl::Delete(NamespaceId ns, const FutureId& id) {
  Future* future = Find(ns, id);
  if (future == nullptr) return RefuseMissing({{id, static_cast<int>(WhyMissing(ns, id))}}, 1);
  if (!future->done()) {
    return base::Refuse(base::Reason::kNotDone, "only a done future is deleted: cancel it first, or wait for it", "id");
  }
  // Who has it pinned keeps it; nobody else finds it.
  Disarm(future->timer);
  future->retrieved = true;
  if (future->cold) groups_.Leave(future->cold->group);
  future->hidden = true;
  MarkChanged(*future);
  Expire(*future);
  return absl::OkStatus();
}

void Shard::Impl::Delete(const core::Delete& command) {
  Deleted answer;
  answer.token = command.token;
  answer.statuses.reserve(command.ids.size());
  for (const FutureId& id : command.ids) answer.statuses.push_back(Delete(command.ns, id));
  Emit(std::move(answer));
}

}  // namespace muster::core
