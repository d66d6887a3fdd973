// Gate: opens once; threads wait for it. What tests use instead of a sleep.
#pragma once

#include "service/base/mutex.h"

namespace muster::test {

class Gate {
 public:
  void Open() {
    base::MutexLock lock(mutex_);
    open_ = true;
    condition_.NotifyAll();
  }
  void Wait() {
    base::MutexLock lock(mutex_);
    while (!open_) condition_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar condition_;
  bool open_ MUSTER_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::test
