#include "service/executor/watchdog.h"

#include <algorithm>
#include <utility>

namespace muster::executor {

LoopWatchdog::LoopWatchdog(Options options)
    : options_(std::move(options)), thread_("loop-watchdog", [this] { ThreadMain(); }) {}

LoopWatchdog::~LoopWatchdog() {
  {
    base::MutexLock lock(mutex_);
    stop_ = true;
  }
  stop_or_tick_.NotifyAll();
  thread_.Join();
}

void LoopWatchdog::Watch(Loop& loop) {
  base::MutexLock lock(mutex_);
  reported_turn_.emplace(&loop, 0);
}

void LoopWatchdog::Unwatch(Loop& loop) {
  base::MutexLock lock(mutex_);
  reported_turn_.erase(&loop);
}

void LoopWatchdog::ThreadMain() {
  const base::Duration tick = std::max<base::Duration>(options_.threshold / 4, std::chrono::milliseconds(1));
  base::MutexLock lock(mutex_);
  while (!stop_) {
    stop_or_tick_.WaitFor(mutex_, tick);
    for (auto& [loop, reported] : reported_turn_) {
      const std::optional<Loop::RunningTurn> turn = loop->running_turn();
      if (!turn.has_value() || turn->age < options_.threshold || turn->number == reported) continue;
      reported = turn->number;
      loop->CountBlockedTurn();
      if (options_.report) options_.report(loop->name(), turn->age);
    }
  }
}

}  // namespace muster::executor
