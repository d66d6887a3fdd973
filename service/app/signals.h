// SIGTERM and SIGINT as something to wait for. The first asks for a drain; the second ends the process at once.
//
// Threading: BlockSignals in main before any other thread exists, so that all inherit the mask; one SignalWatcher a
// process, with a thread of its own.
#pragma once

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"

namespace muster::app {

// SIGTERM and SIGINT reach the watcher alone; SIGPIPE nobody.
void BlockSignals();

class SignalWatcher {
 public:
  SignalWatcher();
  // Later signals find nobody: the process is about to end.
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  // Blocks until the first signal, and gives its number.
  int WaitBlocking() MUSTER_EXCLUDES(mutex_);

 private:
  void Run() MUSTER_EXCLUDES(mutex_);

  base::Mutex mutex_;
  base::CondVar came_;
  int first_ MUSTER_GUARDED_BY(mutex_) = 0;
  int signal_fd_ = -1;
  int stop_fd_ = -1;
  base::Thread thread_;
};

}  // namespace muster::app
