// LoopWatchdog: notices a loop whose turn does not end, because something on it blocks.
//
// One thread a process looks at each loop a few times a threshold. A turn over the threshold is counted in the loop's
// stats and reported once, while it still lasts.
//
// Threading: Watch and Unwatch from any thread; the callback runs on the watchdog's thread and must not call back.
// Lifetime: a loop is unwatched before it is destroyed. Destruction stops the thread.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "service/base/clock.h"
#include "service/base/function.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"
#include "service/executor/loop.h"

namespace muster::executor {

class LoopWatchdog {
 public:
  // `so_far`: how long the turn has lasted when it was noticed.
  using Report = base::UniqueFunction<void(const std::string& loop_name, base::Duration so_far)>;
  struct Options {
    base::Duration threshold = std::chrono::milliseconds(100);
    Report report;  // may be empty
  };

  explicit LoopWatchdog(Options options);
  ~LoopWatchdog();
  LoopWatchdog(const LoopWatchdog&) = delete;
  LoopWatchdog& operator=(const LoopWatchdog&) = delete;

  void Watch(Loop& loop) MUSTER_EXCLUDES(mutex_);
  // The watchdog does not touch the loop after this has returned.
  void Unwatch(Loop& loop) MUSTER_EXCLUDES(mutex_);

 private:
  void ThreadMain() MUSTER_EXCLUDES(mutex_);

  Options options_;
  base::Mutex mutex_;
  base::CondVar stop_or_tick_;
  bool stop_ MUSTER_GUARDED_BY(mutex_) = false;
  std::unordered_map<Loop*, std::uint64_t> reported_turn_ MUSTER_GUARDED_BY(mutex_);  // number of the last one reported
  base::Thread thread_;
};

}  // namespace muster::executor
