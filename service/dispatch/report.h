// What a place says of a job that it was given. Reports of one run come in order, on the loop's thread.
#pragma once

#include <variant>

#include "service/core/door/command.h"

namespace muster::dispatch {

// The body runs. A run that ends at once is reported by its end alone.
using Started = core::JobStarted;
// How far it has come; only the latest report of a turn matters.
using Progressed = core::JobProgress;
// Yielded{id, attempt, index, payload} belongs here, once a place has bodies that yield.

// The last word of a run.
using Ended = core::JobEnded;
// The last word of a run too: the place has lost it, through no fault of the job's. Whether it ran is not known; it
// runs again unless it may run once only (semantics 104).
using Lost = core::JobLost;

using Report = std::variant<Started, Progressed, Ended, Lost>;

}  // namespace muster::dispatch
