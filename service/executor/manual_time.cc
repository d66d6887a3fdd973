#include "service/executor/manual_time.h"

#include <algorithm>

#include "service/base/mutex.h"

namespace muster::executor {

bool ManualTime::QuietNow() const {
  std::vector<std::uint64_t> turns;
  turns.reserve(loops_.size());
  for (const Loop* loop : loops_) turns.push_back(loop->turns());
  for (const Loop* loop : loops_) {
    if (!loop->quiet()) return false;
  }
  for (const BlockingPool* pool : pools_) {
    const BlockingPoolStats stats = pool->stats();
    if (stats.queued + stats.running > stats.abandoned) return false;
  }
  if (others_idle_ && !others_idle_()) return false;
  // A pool's work ends with a post, and a loop may have posted to one that was looked at already: nothing of the kind
  // has happened if no loop began a turn and all still sleep.
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    if (!loops_[i]->quiet() || loops_[i]->turns() != turns[i]) return false;
  }
  return true;
}

bool ManualTime::WaitUntilQuietBlocking(base::Duration limit) {
  const base::Instant end = base::Later(real_time_.Now(), limit);
  base::Mutex mutex;
  base::CondVar never_notified;
  while (!QuietNow()) {
    if (real_time_.Now() >= end) return false;
    base::MutexLock lock(mutex);
    never_notified.WaitFor(mutex, std::chrono::microseconds(50));
  }
  return true;
}

bool ManualTime::AdvanceBlocking(base::Duration by, base::Duration limit) {
  const base::Instant give_up = base::Later(real_time_.Now(), limit);
  const base::Instant end = base::Later(clock_.Now(), by);
  for (;;) {
    if (!WaitUntilQuietBlocking(give_up - real_time_.Now())) return false;
    base::Instant next = base::kNever;
    for (const Loop* loop : loops_) next = std::min(next, loop->next_deadline());
    const bool last = next > end || next == base::kNever;
    clock_.AdvanceTo(last ? end : next);
    for (Loop* loop : loops_) loop->Poke();
    if (last) return WaitUntilQuietBlocking(give_up - real_time_.Now());
  }
}

}  // namespace muster::executor
