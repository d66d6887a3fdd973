// bench_musterd: musterd, and one function more, which says when it saw its cancel.
#include <chrono>
#include <string>

#include "service/app/main.h"
#include "service/jobs/error.h"

namespace muster::bench {
namespace {

// Waits for its cancel, and returns the time at which that came, in nanoseconds of the machine's monotonic clock.
coro::Task<absl::StatusOr<values::Payload>> CancelledAt(jobs::JobContext& context, values::Payload) {
  const absl::Status slept = co_await context.Sleep(std::chrono::hours(1));
  const auto now = std::chrono::steady_clock::now();
  if (slept.ok()) co_return jobs::Failure("TimeoutError", "nobody cancelled it for an hour");
  co_return values::Payload::Text(std::to_string(std::chrono::nanoseconds(now.time_since_epoch()).count()));
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) {
  return muster::app::Main(argc, argv, [](muster::jobs::Registry& registry) {
    return registry.AddAsync("bench.cancelled_at", "Waits for its cancel and returns when it came.",
                             muster::values::Payload(), muster::bench::CancelledAt);
  });
}
