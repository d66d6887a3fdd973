#include "service/core/kinds/cancel.h"

#include <algorithm>
#include <utility>

#include "service/core/completion.h"
#include "service/core/interest/awaits.h"
#include "service/core/interest/remote.h"
#include "service/core/kinds/job.h"
#include "service/core/kinds/kind.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

constexpr uint32_t kTimesMax = 1'000'000;

bool IsCancellable(const Future& future) {
  if (future.done()) return false;
  const auto cancellable = KindOf(future.kind).cancellable;
  return cancellable == nullptr || cancellable(future);
}

void Enter(Turn& turn, CancelWalk& walk, Future& future, uint32_t times) {
  future.cancel_time = std::min(future.cancel_time, turn.now);
  turn.changes.Mark(future);
  KindOf(future.kind).cancel(turn, walk, future, times);
}

bool CameThrough(const Turn& turn, const CancelWalk& walk, const Future& job) {
  const std::vector<FutureId>& way = walk.way.awaiting;
  return !way.empty() && std::find(way.begin(), way.end(), turn.futures.IdOf(job)) != way.end();
}

// The walk comes by something that ended after it had been there: another shard's part of the walk came later than what
// it did. In CPython nothing ends in the middle of a cancel, so there it is counted. False where cancel() would be.
bool CountAfterEnd(Turn& turn, Future& future, uint32_t times) {
  if (!KindOf(future.kind).counts_cancels) return false;
  future.cancelling = AddTimes(future.cancelling, times);
  turn.changes.Mark(future);
  return true;
}

// The walk comes by a second time.
void EnterAgain(Turn& turn, CancelWalk& walk, Future& future, uint32_t times) {
  turn.changes.Mark(future);
  if (KindOf(future.kind).counts_cancels) {
    future.cancelling = AddTimes(future.cancelling, times);
    if (future.state == State::kRunning) CountCancel(turn, future, walk.message, times);
  }
  if (future.on_path) {
    // A circle. It holds a job, because a combinator can only be made of what was there before.
    if (AwaitLink* await = walk.awaiting.empty() ? nullptr : walk.awaiting.back()->open_await()) {
      EndAwaitCancelled(turn, *await, walk.message);
    }
  } else if (AwaitLink* await = future.open_await(); await != nullptr && CameThrough(turn, walk, future)) {
    EndAwaitCancelled(turn, *await, walk.message);  // a circle through other shards
  }
}

std::vector<Future*> TargetsOf(Turn& turn, const core::Cancel& command) {
  std::vector<Future*> targets;
  if (command.set.group.empty()) {
    targets.reserve(command.set.ids.size());
    for (const FutureId& id : command.set.ids) targets.push_back(turn.futures.Find(command.ns, id));
  } else if (const Group* group = turn.futures.groups().Find(command.ns, command.set.group)) {
    for (GroupMember& member : group->members) {
      if (!member.future->done()) targets.push_back(member.future);
    }
  }
  return targets;
}

}  // namespace

uint32_t AddTimes(uint32_t a, uint32_t b) { return std::min(kTimesMax, a + b); }
uint32_t MultiplyTimes(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>(std::min<uint64_t>(kTimesMax, uint64_t{a} * b));
}

void Apply(Turn& turn, core::Cancel& command) {
  CancelAnswered answer;
  answer.token = command.token;
  const std::vector<Future*> targets = TargetsOf(turn, command);
  answer.effects.reserve(targets.size());
  for (size_t at = 0; at < targets.size(); ++at) {
    const FutureId id = targets[at] != nullptr ? turn.futures.IdOf(*targets[at]) : command.set.ids[at];
    CancelEffect effect = CancelEffect::kNotFound;
    if (targets[at] != nullptr) {
      const bool took = CancelFuture(turn, *targets[at], command.message);
      effect = took ? CancelEffect::kRequested : CancelEffect::kAlreadyDone;  // semantics 4
    }
    answer.effects.emplace_back(id, effect);
  }
  Drain(turn);
  for (size_t at = 0; at < targets.size(); ++at) {
    CancelEffect& effect = answer.effects[at].second;
    if (effect == CancelEffect::kRequested && targets[at]->done() && targets[at]->outcome->RaisesCancelled()) {
      effect = CancelEffect::kCancelled;
    }
  }
  turn.Emit(std::move(answer));
}

bool CancelFuture(Turn& turn, Future& root, const std::string& message, uint32_t times, const CancelWay& way) {
  CancelWalk walk{message, way.walk != 0 ? way.walk : turn.walks.Next(turn.options.index), way};
  if (walk.Ended(root)) return CountAfterEnd(turn, root, times);
  if (!IsCancellable(root)) return false;
  walk.stack.push_back({&root, times, false});
  while (!walk.stack.empty()) {
    const CancelWalk::Step step = walk.stack.back();
    walk.stack.pop_back();
    Future& future = *step.future;
    if (step.leave) {
      future.on_path = false;
      if (!walk.awaiting.empty() && walk.awaiting.back() == &future) walk.awaiting.pop_back();
    } else if (future.done()) {
      if (walk.Ended(future)) CountAfterEnd(turn, future, step.times);
    } else if (future.cancel_walk == walk.id) {
      EnterAgain(turn, walk, future, step.times);
    } else {
      future.cancel_walk = walk.id;
      future.on_path = true;
      walk.stack.push_back({&future, 0, true});
      Enter(turn, walk, future, step.times);
    }
  }
  return true;
}

bool PassCancel(CancelWalk& walk, Future& target, uint32_t times) {
  const bool counted = walk.Ended(target) && KindOf(target.kind).counts_cancels;
  if (!counted && !IsCancellable(target)) return false;
  walk.stack.push_back({&target, times, false});
  return true;
}

void SendCancel(Turn& turn, const CancelWalk& walk, const Future& asker, uint32_t index, const FutureId& target,
                Remote& remote, uint32_t times) {
  remote.cancels_sent += times;
  remote.walk = walk.id;
  CancelMember cancel;
  cancel.link.target = target;
  cancel.link.subscriber = turn.futures.IdOf(asker);
  cancel.link.index = index;
  cancel.link.ns = asker.ns;
  cancel.times = remote.cancels_sent;
  cancel.way.hops = walk.way.hops + 1;
  cancel.way.walk = walk.id;
  cancel.way.awaiting = walk.way.awaiting;
  for (const Future* job : walk.awaiting) cancel.way.awaiting.push_back(turn.futures.IdOf(*job));
  if (asker.open_await() != nullptr) cancel.way.awaiting.push_back(turn.futures.IdOf(asker));
  cancel.message = walk.message;
  Send(turn, target.shard, std::move(cancel));
}

void SendCancelAgain(Turn& turn, Future& combinator, uint32_t at) {
  MemberLink& member = combinator.combinator().members[at];
  const CancelWalk walk{combinator.combinator().cancel_message, turn.walks.Next(turn.options.index)};
  SendCancel(turn, walk, combinator, at, member.id, member.remote, 0);
}

void CancelInner(Turn& turn, Future& combinator, const std::string& message, uint32_t times) {
  MemberLink& inner = combinator.combinator().members[0];
  if (inner.member != nullptr) {
    CancelFuture(turn, *inner.member, message, times);
    return;
  }
  const CancelWalk walk{message, turn.walks.Next(turn.options.index)};
  SendCancel(turn, walk, combinator, 0, inner.id, inner.remote, times);
}

}  // namespace muster::core
