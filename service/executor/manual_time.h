// ManualTime: moves a ManualClock for whole loops (--clock=manual): fires one timer, waits until all is quiet, repeats.
//
// Threading: AdvanceBlocking on a thread that is neither a loop's nor a watched pool's. One call at a time.
// Lifetime: clock, loops and pools outlive it. The loops were made with Options::manual_clock.
#pragma once

#include <functional>
#include <vector>

#include "service/base/clock.h"
#include "service/executor/blocking_pool.h"
#include "service/executor/loop.h"

namespace muster::executor {

class ManualTime {
 public:
  // `others_idle`: whatever else posts to the loops has nothing to do; null: there is nothing else.
  ManualTime(base::ManualClock& clock, std::vector<Loop*> loops, std::vector<BlockingPool*> pools,
             std::function<bool()> others_idle = nullptr)
      : clock_(clock), loops_(std::move(loops)), pools_(std::move(pools)), others_idle_(std::move(others_idle)) {}

  // Waits until every loop sleeps with nothing to do and no pool has work (abandoned work aside), or until `limit` of
  // real time has passed: false then.
  bool WaitUntilQuietBlocking(base::Duration limit);

  // Moves the clock on by `by`, from timer to timer. False when `limit` of real time has passed before all was quiet;
  // the clock then stands wherever it was.
  bool AdvanceBlocking(base::Duration by, base::Duration limit);

 private:
  bool QuietNow() const;

  base::ManualClock& clock_;
  const base::SystemClock real_time_;
  const std::vector<Loop*> loops_;
  const std::vector<BlockingPool*> pools_;
  const std::function<bool()> others_idle_;
};

}  // namespace muster::executor
