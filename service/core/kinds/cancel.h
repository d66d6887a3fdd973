// Cancelling: what Future.cancel, Task.cancel and _GatheringFuture.cancel do in CPython, over whatever hangs together.
//
// A cancel spreads from a gather to its members, from a wait_for to its inner and from a job to what it awaits. It is
// walked with a stack of its own, so that no chain is too long for it, and enters each future once, so that a lattice
// of gathers does not multiply it. (Where CPython would come by a second time, only `cancelling` is raised again: a
// body sees one cancel once, also where another shard's part of the walk finds it running again, or done, already.)
// Nobody is told of an end before the walk is over.
//
// Jobs that await each other in a circle would recurse for ever in CPython. Here the await that closes the circle ends
// as cancelled.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "service/core/door/command.h"
#include "service/core/door/message.h"
#include "service/core/futures/future.h"

namespace muster::core {

struct Turn;

// The names of this shard's walks; unlike those of any other's.
class WalkIds {
 public:
  uint64_t Next(ShardIndex shard) { return ((uint64_t{shard} + 1) << kShardShift) | ++last_; }

 private:
  static constexpr int kShardShift = 48;
  uint64_t last_ = 0;
};

inline const CancelWay kNoWay;

struct CancelWalk {
  struct Step {
    Future* future;
    uint32_t times;
    bool leave;
  };
  // A walk that has come through so many shards, or jobs, goes to no other shard.
  bool TooFar() const { return way.hops >= 256 || way.awaiting.size() + awaiting.size() >= 1024; }
  // Whether `future` has ended since this walk came by, or since it came by what it awaited.
  bool Ended(const Future& future) const { return future.done() && future.cancel_walk == id; }

  const std::string& message;
  uint64_t id;
  const CancelWay& way = kNoWay;  // through other shards
  std::vector<Step> stack = {};
  std::vector<Future*> awaiting = {};  // the jobs on the way in this shard that passed it on to what they await
};

// How often something is cancelled is a number that others name: it stops growing somewhere.
uint32_t AddTimes(uint32_t a, uint32_t b);
uint32_t MultiplyTimes(uint32_t a, uint32_t b);

void Apply(Turn& turn, core::Cancel& command);
// What cancel() would return: false when there is nothing left to cancel.
bool CancelFuture(Turn& turn, Future& root, const std::string& message, uint32_t times = 1,
                  const CancelWay& way = kNoWay);

// For the kinds: the walk goes on to `target`, in this shard. False: it had nothing left to cancel.
bool PassCancel(CancelWalk& walk, Future& target, uint32_t times);
// And in another.
void SendCancel(Turn& turn, const CancelWalk& walk, const Future& asker, uint32_t index, const FutureId& target,
                Remote& remote, uint32_t times);
// After a restart, to a member that may not have been reached: the same sum, so whoever has seen it adds nothing.
void SendCancelAgain(Turn& turn, Future& combinator, uint32_t at);
// The only member of `combinator` alone, not the combinator that asks (semantics 60).
void CancelInner(Turn& turn, Future& combinator, const std::string& message, uint32_t times);

}  // namespace muster::core
