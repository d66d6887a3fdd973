#include "service/coro/timeout.h"

#include <string>
#include <utility>

namespace muster::coro {

Timeout::Timeout(CancelToken& token, std::optional<base::Duration> duration)
    : Timer(&OnTimer), token_(token), executor_(*Executor::Current()), cancelling_at_entry_(token.cancelling()) {
  if (duration.has_value()) Reschedule(base::Later(executor_.Now(), *duration)).IgnoreError();
}

Timeout::~Timeout() {
  if (state_ == State::kActive || state_ == State::kExpiring) Leave();
}

void Timeout::OnTimer(Timer& timer) {
  auto& self = static_cast<Timeout&>(timer);
  self.state_ = State::kExpiring;
  self.token_.Cancel();
}

absl::Status Timeout::Reschedule(std::optional<base::Instant> deadline) {
  if (state_ != State::kActive) {
    return absl::FailedPreconditionError("the timeout has fired or finished: it cannot be rescheduled");
  }
  executor_.RemoveTimer(*this);
  deadline_ = deadline;
  if (deadline.has_value()) executor_.AddTimer(*this, *deadline);
  return absl::OkStatus();
}

bool Timeout::Leave() {
  executor_.RemoveTimer(*this);
  if (state_ != State::kExpiring) {
    state_ = State::kFinished;
    return false;
  }
  state_ = State::kExpired;
  return token_.Uncancel() <= cancelling_at_entry_;
}

absl::Status Timeout::Finish(absl::Status body) {
  MUSTER_CHECK(state_ == State::kActive || state_ == State::kExpiring) << "a timeout is finished once";
  if (Leave() && absl::IsCancelled(body)) return absl::DeadlineExceededError("the timeout of the scope ran out");
  return body;
}

}  // namespace muster::coro
