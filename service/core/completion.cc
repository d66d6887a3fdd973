// What follows when a future changes: the record of it, and, once it is done, telling those who wait.
#include "service/base/check.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {
// What a future's outcome counts for. A gather's parts are held by its members, which it pins.
int64_t Shard::Impl::HeldBytes(const Outcome& outcome) {
  if (outcome.kind == Outcome::Kind::kGathered) {
    return static_cast<int64_t>(outcome.gathered.size() * sizeof(OutcomeRef));
  }
  return static_cast<int64_t>(outcome.ByteSize());
}

void Shard::Impl::EmitChanged(Future& future, State from, bool created, int64_t bytes) {
  Changed& changed = Emit<Changed>();
  changed.id = IdOf(future);
  changed.ns = future.ns;
  changed.kind = future.kind;
  changed.function = future.function;
  changed.from = from;
  changed.to = future.state;
  changed.created = created;
  if (future.state == State::kFailed) changed.error_kind = future.outcome->error->kind;
  changed.create_time = future.create_time;
  changed.start_time = future.start_time;
  changed.attempt = future.attempt;
  changed.cancel_time = future.cancel_time;
  changed.bytes_held = bytes;
  if (future.options() != nullptr) changed.options = future.cold->options;
  MarkChanged(future);
}

void Shard::Impl::Move(Future& future, State to) {
  const State from = future.state;
  future.state = to;
  EmitChanged(future, from, false, 0);
}

// The one place where a future becomes done.
void Shard::Impl::Complete(Future& future, State state, OutcomeRef outcome) {
  MUSTER_CHECK(!future.done() && IsDone(state)) << "a future ends once";
  const State from = future.state;
  future.state = state;
  future.end_time = now_;
  future.completion_sequence = ++last_completion_;
  future.outcome = std::move(outcome);
  const int64_t bytes = HeldBytes(*future.outcome) - static_cast<int64_t>(future.input.ByteSize());
  future.input = Payload();
  future.bytes += bytes;
  --pending_;
  EmitChanged(future, from, false, bytes);
  if (future.kind == FutureKind::kJob) {
    CloseAwait(future);
  } else if (future.kind == FutureKind::kShield || future.kind == FutureKind::kWaitFor) {
    ReleaseMembers(future);
  }
  // One that goes as soon as it is delivered, within this call, is not timed.
  if (future.called && future.drop_when_delivered) {
    Disarm(future.timer);
  } else {
    Arm(future, base::Later(now_, future.retention));
  }
  completed_.push_back(&future);
}

Completion Shard::Impl::CompletionOf(Future& future, bool take_outcome) {
  Completion completion;
  completion.id = IdOf(future);
  completion.state = future.state;
  completion.attempt = future.attempt;
  completion.completion_sequence = future.completion_sequence;
  if (take_outcome && future.done()) {
    completion.outcome = future.outcome;
    future.retrieved = true;
  }
  return completion;
}

void Shard::Impl::Drain() {
  while (completed_at_ < completed_.size()) TellAll(*completed_[completed_at_++]);
  completed_.clear();
  completed_at_ = 0;
}

void Shard::Impl::TellAll(Future& future) {
  if (future.called) {
    DeliverCall(future, future.call);
    future.called = false;
    if (future.cold) {
      for (Token token : future.cold->more_calls) DeliverCall(future, token);
      future.cold->more_calls.clear();
    }
    if (future.drop_when_delivered) Expire(future);
  }
  while (Link* link = future.links.PopFront()) Tell(*link);
}

void Shard::Impl::DeliverCall(Future& future, Token token) {
  CallEnded& ended = Emit<CallEnded>();
  ended.token = token;
  ended.completion = CompletionOf(future, true);
  open_.erase(token);
  --calls_;
}

void Shard::Impl::Tell(Link& link) {
  switch (link.kind) {
    case Link::Kind::kWait:
      return WaitMemberDone(*static_cast<WaitLink&>(link).wait, *link.member);
    case Link::Kind::kStream:
      return StreamMemberDone(static_cast<StreamLink&>(link));
    case Link::Kind::kMember:
      return MemberDone(static_cast<MemberLink&>(link));
    case Link::Kind::kAwait: {
      AwaitLink& await = static_cast<AwaitLink&>(link);
      const bool missed = await.cancels_passed > 0 && link.member->cancel_missed;
      return AwaitTargetDone(await, CompletionOf(*link.member, true), missed);
    }
    case Link::Kind::kRemote:
      return SendSettled(static_cast<RemoteLink&>(link));
  }
}

}  // namespace muster::core
