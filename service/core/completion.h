// What follows when a future changes: the word of it to whoever counts, and, once it is done, to those who wait.
//
// A transition never calls into those who wait. Complete() puts the future on a queue, and the queue is emptied before
// the call returns, first done, first told (semantics 16). So nothing recurses, whatever hangs on a future.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "service/core/door/effect.h"
#include "service/core/futures/future.h"

namespace muster::core {

struct Turn;

// Futures that are done, in the order in which they became so.
class Completed {
 public:
  // The next number of the shard's completions: only ever larger, also over restarts.
  uint64_t NextNumber() { return ++last_number_; }
  uint64_t last_number() const { return last_number_; }
  void RaiseTo(uint64_t number) { last_number_ = std::max(last_number_, number); }
  void Skip(uint64_t numbers) { last_number_ += numbers; }

  void Add(Future& future) { queue_.push_back(&future); }
  // The first whose waiters have not been told; null when there is none.
  Future* Take() {
    if (at_ < queue_.size()) return queue_[at_++];
    queue_.clear();
    at_ = 0;
    return nullptr;
  }
  bool empty() const { return queue_.empty(); }

 private:
  std::vector<Future*> queue_;
  size_t at_ = 0;
  uint64_t last_number_ = 0;
};

// The one place where a future becomes done.
void Complete(Turn& turn, Future& future, State state, OutcomeRef outcome);
// To a state that is not done.
void Move(Turn& turn, Future& future, State to);
void EmitChanged(Turn& turn, Future& future, State from, bool created, int64_t bytes);
// Of a restored future, as if it had just been made.
Changed ChangedOf(const Turn& turn, const Future& future);

// How the future stands; `take_outcome` counts as retrieving it (semantics 19).
Completion CompletionOf(Turn& turn, Future& future, bool take_outcome);
// What an outcome counts for. A gather's parts are held by its members, which it pins.
int64_t HeldBytes(const Outcome& outcome);
// The state of a future that ended so.
State StateFor(const Outcome& outcome);

// Tells everybody who waits for what has become done.
void Drain(Turn& turn);
// Its time has come.
void OnTimer(Turn& turn, ShardTimer& timer);
// Sets the future's timer, or with kNever none.
void Arm(Turn& turn, Future& future, base::Instant when);

}  // namespace muster::core
