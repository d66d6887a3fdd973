// The life of a job: delayed, queued, running, done; and its two timeouts (semantics 99).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "service/core/door/command.h"
#include "service/core/futures/future.h"
#include "service/core/kinds/kind.h"

namespace muster::core {

void SubmitJob(Turn& turn, Submit& command);
extern const Kind kJobKind;

// Null when it does not live, or `attempt` is not its present one.
Future* FindJob(Turn& turn, const FutureId& id, uint32_t attempt);
void Apply(Turn& turn, const core::JobStarted& command);
void Apply(Turn& turn, core::JobEnded& command);
void Apply(Turn& turn, core::JobProgress& command);
void Apply(Turn& turn, const core::JobLost& command);
void Apply(Turn& turn, const core::Uncancel& command);

// It is queued, and its body runs.
void RunJob(Turn& turn, Future& job);
// Asks the body to end. `abandoned`: its future has ended already (semantics 93).
void CancelBody(Turn& turn, Future& job, const std::string& message, bool abandoned, uint32_t times = 1);
// The cancel itself goes elsewhere: to the body's token it only counts (semantics 12).
void CountCancel(Turn& turn, Future& job, const std::string& message, uint32_t times);

// --- After a restart of the server
// What was left of its queue timeout goes on; one that had started has none any more.
void StartAgain(Turn& turn, Future& job);
// The timeout ran out while the server was down.
void QueueTimedOut(Turn& turn, Future& job);
// It ran, whoever ran it is gone (`because` says why), and a second body may not start.
void EndWhatCannotRunAgain(Turn& turn, Future& job, std::string_view because);

}  // namespace muster::core
