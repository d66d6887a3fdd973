#include "service/core/completion.h"

#include <algorithm>
#include <utility>

#include "service/base/check.h"
#include "service/core/interest/awaits.h"
#include "service/core/interest/calls.h"
#include "service/core/interest/remote.h"
#include "service/core/interest/streams.h"
#include "service/core/interest/waits.h"
#include "service/core/kinds/combinator.h"
#include "service/core/kinds/kind.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

void FillChanged(const Turn& turn, const Future& future, Changed& changed) {
  changed.id = turn.futures.IdOf(future);
  changed.ns = future.ns;
  changed.kind = future.kind;
  changed.function = future.function;
  changed.to = future.state;
  if (future.state == State::kFailed) changed.error_kind = future.outcome->error->kind;
  changed.create_time = future.create_time;
  changed.start_time = future.start_time;
  changed.attempt = future.attempt;
  changed.cancel_time = future.cancel_time;
  if (future.options != nullptr) changed.options = future.options;
}

void Tell(Turn& turn, Link& link) {
  switch (link.kind) {
    case Link::Kind::kWait:
      return WaitMemberDone(turn, *static_cast<WaitLink&>(link).wait, *link.member);
    case Link::Kind::kStream:
      return StreamMemberDone(turn, static_cast<StreamLink&>(link));
    case Link::Kind::kMember:
      return MemberDone(turn, static_cast<MemberLink&>(link));
    case Link::Kind::kAwait:
      return AwaitTargetDone(turn, static_cast<AwaitLink&>(link));
    case Link::Kind::kRemote:
      return SendSettled(turn, static_cast<RemoteLink&>(link));
  }
}

}  // namespace

int64_t HeldBytes(const Outcome& outcome) {
  if (outcome.kind == Outcome::Kind::kGathered) {
    return static_cast<int64_t>(outcome.gathered.size() * sizeof(OutcomeRef));
  }
  return static_cast<int64_t>(outcome.ByteSize());
}

State StateFor(const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::kError:
      return State::kFailed;
    case Outcome::Kind::kCancelled:
      return State::kCancelled;
    default:
      return State::kSucceeded;
  }
}

void EmitChanged(Turn& turn, Future& future, State from, bool created, int64_t bytes) {
  Changed& changed = turn.Emit<Changed>();
  FillChanged(turn, future, changed);
  changed.from = from;
  changed.created = created;
  changed.bytes_held = bytes;
  turn.changes.Mark(future);
}

Changed ChangedOf(const Turn& turn, const Future& future) {
  Changed changed;
  FillChanged(turn, future, changed);
  changed.from = State::kPending;
  changed.created = true;
  changed.restored = true;
  changed.attempt = 0;
  changed.bytes_held = future.bytes;
  return changed;
}

void Move(Turn& turn, Future& future, State to) {
  const State from = future.state;
  future.state = to;
  EmitChanged(turn, future, from, false, 0);
}

void Complete(Turn& turn, Future& future, State state, OutcomeRef outcome) {
  MUSTER_CHECK(!future.done() && IsDone(state)) << "a future ends once";
  const State from = future.state;
  future.state = state;
  future.end_time = turn.now;
  future.completion_sequence = turn.completed.NextNumber();
  future.outcome = std::move(outcome);
  const int64_t bytes = HeldBytes(*future.outcome) - static_cast<int64_t>(future.input.ByteSize());
  future.input = Payload();
  future.bytes += bytes;
  turn.futures.CountDone();
  EmitChanged(turn, future, from, false, bytes);
  if (future.cold) {
    if (const auto let_go = KindOf(future.kind).let_go) let_go(turn, future);
  }
  // One that goes as soon as it is delivered, within this call, is not timed.
  if (future.called && future.drop_when_delivered) {
    turn.timers.Remove(future);
  } else {
    Arm(turn, future, base::Later(turn.now, future.retention));
  }
  turn.completed.Add(future);
}

Completion CompletionOf(Turn& turn, Future& future, bool take_outcome) {
  Completion completion;
  completion.id = turn.futures.IdOf(future);
  completion.state = future.state;
  completion.attempt = future.attempt;
  completion.completion_sequence = future.completion_sequence;
  if (take_outcome && future.done()) {
    completion.outcome = future.outcome;
    future.retrieved = true;
  }
  return completion;
}

void Drain(Turn& turn) {
  while (Future* future = turn.completed.Take()) {
    TellCalls(turn, *future);
    while (Link* link = future->links.PopFront()) Tell(turn, *link);
  }
}

void Arm(Turn& turn, Future& future, base::Instant when) {
  turn.timers.Remove(future);
  if (when != base::kNever) turn.timers.Add(future, when);
}

void OnTimer(Turn& turn, ShardTimer& timer) {
  switch (timer.of) {
    case ShardTimer::Of::kFuture: {
      Future& future = static_cast<Future&>(timer);
      return future.done() ? Expire(turn, future) : KindOf(future.kind).timer(turn, future);
    }
    case ShardTimer::Of::kWait:
      return EndWait(turn, static_cast<Wait&>(timer), WaitEnd::kTimedOut);  // semantics 27
    case ShardTimer::Of::kStream:
      return StreamTimedOut(turn, static_cast<Stream&>(timer));
    case ShardTimer::Of::kRequest:
      return turn.changes.Forget(static_cast<RequestEntry&>(timer), turn.requests);
  }
}

}  // namespace muster::core
