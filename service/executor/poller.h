// What a Loop sleeps on. In the server a gRPC completion queue (service/grpc), in tests and the C++ client a condition
// variable.
//
// A poller delivers its own events: Poll runs on the loop's thread, takes at most one event and completes whatever
// waits for it, by Suspension::Wake or Executor::Schedule, never by resuming a coroutine itself.
//
// Threading: Poll and Shutdown on the loop's thread, Wake from any. Lifetime: owned by the loop.
#pragma once

#include "service/base/clock.h"

namespace muster::executor {

class Poller {
 public:
  enum class Result {
    kEvent,     // one event was taken and delivered
    kWoken,     // the Wake was taken
    kNothing,   // the timeout ran out
    kShutdown,  // after Shutdown: nothing will come any more
  };

  // Do not sleep at all (a completion queue is asked with gpr_inf_past, never with "now": that would sleep 1 ms).
  static constexpr base::Duration kDontWait = base::Duration::zero();
  static constexpr base::Duration kForever = base::Duration::max();

  virtual ~Poller() = default;

  // Waits for one event, a Wake or `timeout` (real time, whatever clock the loop runs on).
  virtual Result Poll(base::Duration timeout) = 0;

  // Makes a Poll that waits, or else the next one that would wait, return kWoken. The loop calls it at most once until
  // a Poll has returned kWoken, and never after Shutdown: so one alarm with one tag serves.
  virtual void Wake() = 0;

  // No more events are begun. Poll goes on until everything that is under way has been delivered, then says kShutdown.
  virtual void Shutdown() = 0;
};

}  // namespace muster::executor
