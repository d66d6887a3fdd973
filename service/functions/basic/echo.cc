// `echo`: what a call costs when the function costs nothing.
#include <utility>

#include "service/functions/basic/register.h"
#include "service/jobs/json.h"

namespace muster::functions {
namespace {

coro::Task<absl::StatusOr<jobs::Payload>> Echo(jobs::JobContext&, jobs::Payload input) { co_return std::move(input); }

}  // namespace

absl::Status RegisterEcho(jobs::Registry& registry) {
  return registry.AddAsync("echo", "Returns its input, whatever it is, untouched and unread.",
                           jobs::JsonPayload({{"message", "hello"}}), Echo);
}

}  // namespace muster::functions
