// Decides whether a failed attempt is made again, and after which pause.
//
// Threading: none of its own. Lifetime: one for each verb in progress.
#pragma once

#include <optional>
#include <random>

#include "absl/status/status.h"

#include "muster/options.h"

namespace muster::client::detail {

class Backoff {
 public:
  explicit Backoff(const RetryPolicy& policy);

  // The pause before the next try; nothing when `failure` is final: not UNAVAILABLE, or patience is at its end.
  std::optional<Duration> Next(const absl::Status& failure, base::Instant now);

  // The server has accepted what is waited for: from now on an outage is sat out for `outage_max`.
  void Accepted();

 private:
  const RetryPolicy policy_;
  std::minstd_rand random_;
  bool accepted_ = false;
  int attempts_ = 0;  // failed, since the last Accepted
  std::optional<base::Instant> outage_began_;
};

// An attempt that held at least this long before it failed had been accepted: a connect that is refused fails at once.
inline constexpr Duration kAcceptedAfter = std::chrono::seconds(1);

}  // namespace muster::client::detail
