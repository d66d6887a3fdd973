// What arrives at whoever awaits another future, and the failures that a timeout makes.
#pragma once

#include <memory>
#include <string>

#include "service/base/clock.h"
#include "service/core/door/values.h"

namespace muster::core {

// `outcome` as it arrives at whoever awaits `from`: an error or a cancellation names the future where it arose.
OutcomeRef Propagated(const OutcomeRef& outcome, const FutureId& from);

// A failure that is a timeout, with what the timeout's cancel brought about as its cause (semantics 57).
OutcomeRef TimedOut(ErrorKind kind, std::string message, std::shared_ptr<const Error> cause, Payload details = {});

// "1.5 s", as messages say it.
std::string InSeconds(base::Duration duration);

}  // namespace muster::core
