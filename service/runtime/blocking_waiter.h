// Lets a thread that is no loop's wait until something is durable.
#pragma once

#include "service/base/mutex.h"
#include "service/runtime/host/shard_host.h"

namespace muster::runtime {

// On the loop: `runner.WhenDurable(waiter)`. On the thread, meanwhile: `waiter.WaitBlocking()`.
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

}  // namespace muster::runtime
