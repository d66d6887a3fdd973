// Waiting until what has happened on a loop is durable: on the loop, and from a thread that may block.
#pragma once

#include "service/base/mutex.h"
#include "service/coro/runnable.h"

namespace muster::dispatch {

// Run on the loop when all that had happened before is durable, or when it is known that it will not be.
struct DurableWaiter : coro::Runnable {
  explicit DurableWaiter(Entry run) : Runnable(run) {}
  bool durable = true;
};

// Lets a thread that is no loop's wait. On the loop: `host.WhenDurable(waiter)`. On the thread, meanwhile:
// `waiter.WaitBlocking()`.
class BlockingWaiter final : public DurableWaiter {
 public:
  BlockingWaiter() : DurableWaiter([](coro::Runnable& self) { static_cast<BlockingWaiter&>(self).Say(); }) {}

  // Whether it is durable; false when it never will be.
  bool WaitBlocking() {
    base::MutexLock lock(mutex_);
    while (!said_) changed_.Wait(mutex_);
    return durable;
  }

 private:
  void Say() {
    base::MutexLock lock(mutex_);
    said_ = true;
    changed_.NotifyAll();
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  bool said_ MUSTER_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::dispatch
