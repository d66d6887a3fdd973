#include "client/cpp/detail/backoff.h"

#include <algorithm>
#include <cmath>

#include "muster/status.h"

namespace muster::client::detail {

Backoff::Backoff(const RetryPolicy& policy) : policy_(policy), random_(std::random_device{}()) {}

std::optional<Duration> Backoff::Next(const absl::Status& failure, base::Instant now) {
  if (failure.code() != absl::StatusCode::kUnavailable) return std::nullopt;
  ++attempts_;
  if (!outage_began_) outage_began_ = now;
  if (accepted_ ? now - *outage_began_ > policy_.outage_max : attempts_ >= policy_.attempts_max) return std::nullopt;
  const double doublings = std::min(attempts_ - 1, 30);
  const double pause = std::min(static_cast<double>(policy_.pause_max.count()),
                                static_cast<double>(policy_.initial.count()) * std::exp2(doublings));
  std::uniform_real_distribution<double> jitter(1 - policy_.jitter, 1 + policy_.jitter);
  const Duration own(static_cast<Duration::rep>(pause * jitter(random_)));
  return std::max(own, RetryDelayOf(failure).value_or(Duration::zero()));
}

void Backoff::Accepted() {
  accepted_ = true;
  attempts_ = 0;
  outage_began_.reset();
}

}  // namespace muster::client::detail
