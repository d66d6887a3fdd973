#include "service/grpc/detail/cq_poller.h"

#include <grpc/support/time.h>

#include "service/grpc/detail/tag.h"

namespace muster::grpc_front {
namespace {

gpr_timespec DeadlineOf(base::Duration timeout) {
  // Not "now": deadlines round up to milliseconds, so that one would sleep.
  if (timeout <= executor::Poller::kDontWait) return gpr_inf_past(GPR_CLOCK_MONOTONIC);
  if (timeout == executor::Poller::kForever) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  // gRPC adds the present time to a timespan itself.
  return gpr_time_from_micros(timeout.count(), GPR_TIMESPAN);
}

}  // namespace

CqPoller::Result CqPoller::Poll(base::Duration timeout) {
  void* tag = nullptr;
  bool ok = false;
  switch (queue_->AsyncNext(&tag, &ok, DeadlineOf(timeout))) {
    case grpc::CompletionQueue::SHUTDOWN:
      return Result::kShutdown;
    case grpc::CompletionQueue::TIMEOUT:
      return Result::kNothing;
    case grpc::CompletionQueue::GOT_EVENT:
      break;
  }
  if (tag == &alarm_) return Result::kWoken;
  static_cast<Tag*>(tag)->Complete(ok);
  return Result::kEvent;
}

// gpr_inf_past makes the alarm complete at once, without the timer thread.
void CqPoller::Wake() { alarm_.Set(queue_.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), &alarm_); }

void CqPoller::Shutdown() { queue_->Shutdown(); }

}  // namespace muster::grpc_front
