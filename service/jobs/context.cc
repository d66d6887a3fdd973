#include "service/jobs/context.h"

#include <utility>

#include "service/jobs/error.h"

namespace muster::jobs {

coro::Task<absl::StatusOr<Payload>> JobContext::AwaitValue(values::FutureId target) {
  absl::StatusOr<values::OutcomeRef> outcome = co_await Await(target);
  if (!outcome.ok()) co_return outcome.status();
  co_return FromOutcome(*outcome);
}

}  // namespace muster::jobs
