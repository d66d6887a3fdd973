// A future's cold parts and combinator as they are recorded, and back: one list of fields for both ways.
#pragma once

#include "service/core/futures/future.h"
#include "service/core/record/record.h"

namespace muster::core {

// Calls `copy(part, recorded)` for each field of a combinator that is recorded as it is.
template <typename C, typename R, typename F>
void ForEachRecorded(C& combinator, R& record, F&& copy) {
  copy(combinator.depth, record.depth);
  copy(combinator.cancel_message, record.cancel_message);
  if (auto* gather = std::get_if<GatherState>(&combinator.state)) {
    copy(gather->return_exceptions, record.return_exceptions);
    copy(gather->cancel_requested, record.cancel_requested);
    copy(gather->cancel_in_doubt, record.cancel_in_doubt);
  } else if (auto* wait_for = std::get_if<WaitForState>(&combinator.state)) {
    copy(wait_for->timeout, record.timeout);
    copy(wait_for->grace, record.grace);
    copy(wait_for->polling, record.polling);
    copy(wait_for->expiring, record.expiring);
    copy(wait_for->must_cancel, record.must_cancel);
    copy(wait_for->cancels_passed, record.cancels_passed);
  }
}

}  // namespace muster::core
