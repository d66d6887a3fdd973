#include "service/executor/condvar_poller.h"

#include <algorithm>
#include <chrono>

namespace muster::executor {

Poller::Result CondVarPoller::Poll(base::Duration timeout) {
  if (woken_.load(std::memory_order_acquire)) {
    woken_.store(false, std::memory_order_relaxed);  // no second Wake comes before this one is reported
    return Result::kWoken;
  }
  if (shut_down_) return Result::kShutdown;
  if (timeout <= kDontWait) return Result::kNothing;
  base::MutexLock lock(mutex_);
  if (timeout == kForever) {
    while (!woken_.load(std::memory_order_relaxed)) condition_.Wait(mutex_);
  } else {
    // An hour at most: the caller looks again, and the sum with the present time cannot overflow.
    const base::Duration bounded = std::min<base::Duration>(timeout, std::chrono::hours(1));
    if (!woken_.load(std::memory_order_relaxed)) condition_.WaitFor(mutex_, bounded);
    if (!woken_.load(std::memory_order_relaxed)) return Result::kNothing;
  }
  woken_.store(false, std::memory_order_relaxed);
  return Result::kWoken;
}

void CondVarPoller::Wake() {
  base::MutexLock lock(mutex_);
  woken_.store(true, std::memory_order_release);
  condition_.NotifyOne();
}

}  // namespace muster::executor
