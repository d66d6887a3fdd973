// Somewhere that jobs run: a loop, the blocking pool; later child processes and workers.
//
// A place starts, withdraws and cancels. What it has started it reports on to the host (report.h), ending with Ended or
// Lost; never from within one of these calls. It adds its runs to the loop's table and removes them.
//
// Threading: the loop's thread. Each loop has its own place objects, which may share what is behind them.
// Lifetime: until the loop has stopped; runs that are left then go with it.
#pragma once

#include <cstddef>

#include "service/base/clock.h"
#include "service/core/door/effect.h"
#include "service/dispatch/run.h"
#include "service/jobs/registry.h"

namespace muster::dispatch {

// What has become of a job while it was ready.
struct Waited {
  base::Instant since{};                    // when it began to wait for a place
  const core::CancelJob* cancel = nullptr;  // not null: its body is told so from its start on
};

class Place {
 public:
  virtual ~Place() = default;

  // How many jobs more it takes now. What it says is kept for this loop until Start or GiveRoomBack. Once it has said 0
  // it tells the dispatcher when it has room.
  virtual size_t Room() = 0;
  // Nothing is ready here that it could take.
  virtual void GiveRoomBack() = 0;

  // Only when it has room. `function` lives as long as its jobs.
  virtual void Start(const jobs::Function& function, core::StartJob&& start, const Waited& waited) = 0;
  // The body never starts, or if it just has, nobody wants what it returns.
  virtual void Withdraw(Run& run) = 0;
  virtual void Cancel(Run& run, const core::CancelJob& cancel) = 0;
};

}  // namespace muster::dispatch
