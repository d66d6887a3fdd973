// Ctrl-C: the first one ends what is waited for, tidily and without touching a job; the second ends the process.
//
// Threading: a thread of its own waits for SIGINT, SIGTERM and SIGHUP, which must be blocked in main before any other
// thread starts: BlockSignals. Lifetime: one a process.
#pragma once

#include <atomic>
#include <functional>

#include "service/base/mutex.h"
#include "service/base/thread.h"

namespace muster::cli {

class Interrupt {
 public:
  static void BlockSignals();

  Interrupt();
  ~Interrupt();

  bool raised() const { return raised_.load(std::memory_order_acquire); }
  // Called on the interrupt's thread at the first signal; at once if that has come already.
  void OnRaise(std::function<void()> action);
  // Becomes readable at the first signal: for those who poll.
  int event_fd() const { return raised_fd_; }

 private:
  void Loop();

  std::atomic<bool> raised_{false};  // stored by the thread, loaded anywhere
  int raised_fd_ = -1;
  int stop_fd_ = -1;
  int signal_fd_ = -1;
  base::Mutex mutex_;
  std::function<void()> action_ MUSTER_GUARDED_BY(mutex_);
  base::Thread thread_;
};

}  // namespace muster::cli
