// Forgetting: when a done future goes (semantics 100).
//
// A future is never freed in the middle of a call, only at its end. So a pointer to a future is good for the whole
// call.
#pragma once

#include <vector>

#include "absl/status/status.h"

#include "service/core/door/command.h"
#include "service/core/futures/future.h"

namespace muster::core {

struct Turn;

// Futures that go at the end of the call under way.
class Doomed {
 public:
  void Add(Future& future) {
    if (future.doomed) return;
    future.doomed = true;
    futures_.push_back(&future);
  }
  bool empty() const { return futures_.empty(); }

 private:
  friend void ForgetDoomed(Turn& turn);
  std::vector<Future*> futures_;
};

// From now on only pins hold it.
void Expire(Turn& turn, Future& future);
void ForgetDoomed(Turn& turn);
// Forgets done futures before their time. NOT_DONE for a live one.
void Apply(Turn& turn, const core::Delete& command);

}  // namespace muster::core
