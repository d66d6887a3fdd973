// Cancelling: what Future.cancel, Task.cancel and _GatheringFuture.cancel do in CPython, over whatever hangs together.
//
// A cancel spreads from a gather to its members, from a wait_for to its inner and from a job to what it awaits. It is
// walked with a stack of its own, so that no chain is too long for it, and enters each future once, so that a lattice
// of gathers does not multiply it. (Where CPython would come by a second time, only `cancelling` is raised again.)
// Nobody is told of an end before the walk is over.
//
// Jobs that await each other in a circle would recurse for ever in CPython. Here the await that closes the circle ends
// as cancelled.
#include <limits>

#include "service/base/check.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {
namespace {

constexpr uint32_t kTimesMax = 1'000'000;
constexpr uint32_t kHopsMax = 256;
constexpr int kWalkShardShift = 48;

uint32_t AddTimes(uint32_t a, uint32_t b) { return std::min(kTimesMax, a + b); }
uint32_t MultiplyTimes(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>(std::min<uint64_t>(kTimesMax, uint64_t{a} * b));
}

}  // namespace

struct Shard::Impl::CancelWalk {
  struct Step {
    Future* future;
    uint32_t times;
    bool leave;
  };
  const std::string& message;
  uint32_t hops;  // shards it came through
  uint64_t id;
  std::vector<Step> stack;
  std::vector<Future*> awaiting;  // the jobs on the way to here that passed it on to what they await
};

void Shard::Impl::Cancel(core::Cancel& command) {
  CancelAnswered answer;
  answer.token = command.token;
  std::vector<Future*> futures;
  if (!command.set.group.empty()) {
    if (const Group* group = groups_.Find(command.ns, command.set.group)) {
      for (GroupMember& member : group->members) {
        if (!member.future->done()) futures.push_back(member.future);
      }
    }
  } else {
    for (const FutureId& id : command.set.ids) futures.push_back(Find(command.ns, id));
  }
  answer.effects.reserve(futures.size());
  for (size_t at = 0; at < futures.size(); ++at) {
    const FutureId id = futures[at] != nullptr ? IdOf(*futures[at]) : command.set.ids[at];
    CancelEffect effect = CancelEffect::kNotFound;
    if (futures[at] != nullptr) {
      const bool took = CancelFuture(*futures[at], command.message);
      effect = took ? CancelEffect::kRequested : CancelEffect::kAlreadyDone;  // semantics 4
    }
    answer.effects.emplace_back(id, effect);
  }
  Drain();
  for (size_t at = 0; at < futures.size(); ++at) {
    CancelEffect& effect = answer.effects[at].second;
    if (effect == CancelEffect::kRequested && futures[at]->done() && futures[at]->outcome->RaisesCancelled()) {
      effect = CancelEffect::kCancelled;
    }
  }
  Emit(std::move(answer));
}

uint64_t Shard::Impl::NewWalk() { return ((uint64_t{options_.index} + 1) << kWalkShardShift) | ++last_walk_; }

// What cancel() would return: false when there is nothing left to cancel.
bool Shard::Impl::WouldTake(const Future& future) {
  if (future.done()) return false;
  if (future.kind != FutureKind::kGather) return true;
  const Combinator& combinator = future.combinator();
  for (uint32_t at = 0; at < combinator.count; ++at) {
    const MemberLink& member = combinator.members[at];
    if (member.member != nullptr ? !member.member->done() : !member.settled) return true;
  }
  return false;
}

bool Shard::Impl::CancelFuture(Future& root, const std::string& message, uint32_t times, uint32_t hops, uint64_t id) {
  if (!WouldTake(root)) return false;
  CancelWalk walk{message, hops, id != 0 ? id : NewWalk(), {}, {}};
  walk.stack.push_back({&root, times, false});
  while (!walk.stack.empty()) {
    const CancelWalk::Step step = walk.stack.back();
    walk.stack.pop_back();
    Future& future = *step.future;
    if (step.leave) {
      future.on_path = false;
      if (!walk.awaiting.empty() && walk.awaiting.back() == &future) walk.awaiting.pop_back();
    } else if (future.done()) {
      continue;
    } else if (future.cancel_walk == walk.id) {
      CancelAgain(walk, future, step.times);
    } else {
      future.cancel_walk = walk.id;
      future.on_path = true;
      walk.stack.push_back({&future, 0, true});
      CancelStep(walk, future, step.times);
    }
  }
  return true;
}

void Shard::Impl::CancelStep(CancelWalk& walk, Future& future, uint32_t times) {
  future.cancel_time = std::min(future.cancel_time, now_);
  MarkChanged(future);
  switch (future.kind) {
    case FutureKind::kJob:
      return CancelJobStep(walk, future, times);
    case FutureKind::kGather:
      return CancelGatherStep(walk, future, times);
    case FutureKind::kWaitFor:
      return CancelWaitForStep(walk, future, times);
    case FutureKind::kPromise:
    case FutureKind::kShield:
      return Complete(future, State::kCancelled, Outcome::Cancelled(walk.message));  // semantics 5, 53
  }
}

void Shard::Impl::CancelAgain(CancelWalk& walk, Future& future, uint32_t times) {
  MarkChanged(future);
  if (future.kind == FutureKind::kJob || future.kind == FutureKind::kWaitFor) {
    future.cancelling = AddTimes(future.cancelling, times);
    if (future.state == State::kRunning) CountCancel(future, walk.message, times);
  }
  if (future.on_path) {
    // A circle. It holds a job, because a combinator can only be made of what was there before.
    if (AwaitLink* await = walk.awaiting.empty() ? nullptr : walk.awaiting.back()->open_await()) {
      EndAwaitCancelled(*await, walk.message);
    }
  } else if (walk.hops > 0 && future.open_await() != nullptr) {
    // Back from another shard: most likely a circle too, and if not, the body sees now what it would see soon.
    EndAwaitCancelled(*future.open_await(), walk.message);
  }
}

void Shard::Impl::CancelJobStep(CancelWalk& walk, Future& job, uint32_t times) {
  job.cancelling = AddTimes(job.cancelling, times);
  if (job.state != State::kRunning || job.unresumed) {
    // semantics 7: the body never runs (or, after a restart, never again).
    if (job.state == State::kQueued) Withdraw(job);
    return Complete(job, State::kCancelled, Outcome::Cancelled(walk.message));
  }
  if (job.function_kind == FunctionKind::kBlocking) {
    CancelBody(job, walk.message, true, times);  // semantics 93
    return Complete(job, State::kCancelled, Outcome::Cancelled(walk.message));
  }
  AwaitLink* await = job.open_await();
  if (await == nullptr) return CancelBody(job, walk.message, false, times);
  // semantics 12: nothing but the target is cancelled, and the body sees what comes of it; its token only counts.
  CountCancel(job, walk.message, times);
  if (await->member == nullptr) {
    if (walk.hops >= kHopsMax) return EndAwaitCancelled(*await, walk.message);
    await->cancel_message = walk.message;
    SendCancel(walk, job, await->count, await->target, await->remote, times);
  } else if (PassCancel(walk, *await->member, times)) {
    await->cancels_passed = AddTimes(await->cancels_passed, times);
    await->cancel_message = walk.message;
    walk.awaiting.push_back(&job);
  } else {
    await->must_cancel = true;
    await->cancel_message = walk.message;
  }
}

// The cancel itself goes elsewhere.
void Shard::Impl::CountCancel(Future& job, const std::string& message, uint32_t times) {
  ColdOf(job).cancel_message = message;
  CancelJob counted;
  counted.id = IdOf(job);
  counted.attempt = job.attempt;
  counted.message = message;
  counted.times = times;
  counted.forwarded = true;
  Emit(std::move(counted));
}

void Shard::Impl::CancelBody(Future& job, const std::string& message, bool abandoned, uint32_t times) {
  if (!abandoned) ColdOf(job).cancel_message = message;
  CancelJob cancel;
  cancel.id = IdOf(job);
  cancel.attempt = job.attempt;
  cancel.message = message;
  cancel.times = times;
  cancel.abandoned = abandoned;
  Emit(std::move(cancel));
}

// semantics 49: every unfinished position, a duplicate as often as it stands there.
void Shard::Impl::CancelGatherStep(CancelWalk& walk, Future& gather, uint32_t times) {
  Combinator& combinator = gather.combinator();
  for (uint32_t at = combinator.count; at-- > 0;) {
    MemberLink& member = combinator.members[at];
    const uint32_t member_times = MultiplyTimes(times, member.times);
    if (member.member != nullptr) {
      if (PassCancel(walk, *member.member, member_times)) combinator.cancel_requested = true;
    } else if (!member.settled) {
      combinator.cancel_in_doubt = true;
      combinator.cancel_message = walk.message;
      SendCancel(walk, gather, at, member.id, member.remote, member_times);
    }
  }
}

void Shard::Impl::CancelWaitForStep(CancelWalk& walk, Future& wait_for, uint32_t times) {
  Combinator& combinator = wait_for.combinator();
  wait_for.cancelling = AddTimes(wait_for.cancelling, times);
  if (combinator.polling) {
    // CPython waits for the inner's end through a future of its own here, and cancelling that takes at once.
    return Complete(wait_for, State::kCancelled, Outcome::Cancelled(walk.message));
  }
  if (!walk.message.empty()) combinator.cancel_message = walk.message;
  MemberLink& inner = combinator.members[0];
  if (inner.member == nullptr) {
    SendCancel(walk, wait_for, 0, inner.id, inner.remote, times);
  } else if (PassCancel(walk, *inner.member, times)) {
    combinator.cancels_passed = AddTimes(combinator.cancels_passed, times);
  } else {
    combinator.must_cancel = true;
  }
}

// The inner alone, not the wait_for that asks (semantics 60).
void Shard::Impl::CancelInner(Future& wait_for, const std::string& message, uint32_t times) {
  MemberLink& inner = wait_for.combinator().members[0];
  if (inner.member != nullptr) {
    CancelFuture(*inner.member, message, times);
    return;
  }
  CancelWalk walk{message, 0, NewWalk(), {}, {}};
  SendCancel(walk, wait_for, 0, inner.id, inner.remote, times);
}

// After a restart, to a member that may not have been reached: the same sum, so whoever has seen it adds nothing.
void Shard::Impl::SendCancelAgain(Future& combinator, uint32_t at) {
  MemberLink& member = combinator.combinator().members[at];
  CancelWalk walk{combinator.combinator().cancel_message, 0, NewWalk(), {}, {}};
  SendCancel(walk, combinator, at, member.id, member.remote, 0);
}

bool Shard::Impl::PassCancel(CancelWalk& walk, Future& target, uint32_t times) {
  if (!WouldTake(target)) return false;
  walk.stack.push_back({&target, times, false});
  return true;
}

void Shard::Impl::SendCancel(CancelWalk& walk, const Future& asker, uint32_t index, const FutureId& target,
                             Remote& remote, uint32_t times) {
  remote.cancels_sent += times;
  ShardMessage message;
  message.kind = ShardMessage::Kind::kCancelMember;
  message.target = target;
  message.subscriber = IdOf(asker);
  message.index = index;
  message.ns = asker.ns;
  message.times = remote.cancels_sent;
  message.depth = walk.hops + 1;
  message.walk = walk.id;
  message.message = walk.message;
  Send(target.shard, std::move(message));
}

}  // namespace muster::core
