#include "service/core/kinds/propagate.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace muster::core {

OutcomeRef Propagated(const OutcomeRef& outcome, const FutureId& from) {
  if (outcome->error == nullptr || outcome->error->origin) return outcome;
  Error error = *outcome->error;
  error.origin = from;
  auto propagated = std::make_shared<Outcome>(*outcome);
  propagated->error = std::make_shared<const Error>(std::move(error));
  return propagated;
}

OutcomeRef TimedOut(ErrorKind kind, std::string message, std::shared_ptr<const Error> cause, Payload details) {
  Error error;
  error.kind = kind;
  error.type = "TimeoutError";
  error.message = std::move(message);
  error.cause = std::move(cause);
  error.details = std::move(details);
  return Outcome::Failed(std::move(error));
}

std::string InSeconds(base::Duration duration) {
  return fmt::format("{} s", std::chrono::duration<double>(duration).count());
}

}  // namespace muster::core
