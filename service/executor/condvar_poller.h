// A poller without events: the loop lives on posts and timers alone. For tests, tools and the C++ client.
#pragma once

#include <atomic>

#include "service/base/mutex.h"
#include "service/executor/poller.h"

namespace muster::executor {

class CondVarPoller final : public Poller {
 public:
  Result Poll(base::Duration timeout) override;
  void Wake() override;
  void Shutdown() override { shut_down_ = true; }

 private:
  base::Mutex mutex_;
  base::CondVar condition_;
  std::atomic<bool> woken_{false};  // stored under mutex_, so that a sleeper misses no notification
  bool shut_down_ = false;          // the loop's thread only
};

}  // namespace muster::executor
