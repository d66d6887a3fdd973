// Timeout: the scope of asyncio.timeout.
//
// Past its deadline it cancels the token once; Finish then turns that cancel, and only that one, into
// DeadlineExceeded (semantics 63). Scopes nest: the right one fires, and cancelling() ends where it began (64).
//
//   coro::Timeout timeout(token, std::chrono::seconds(5));
//   absl::Status status = co_await Fetch(token);
//   status = timeout.Finish(std::move(status));        // DeadlineExceeded if this scope cut it short
//
// Threading: the token's executor. Lifetime: within the token's; finish inner scopes before outer ones. A scope that
// dies unfinished takes its cancel back and converts nothing.
#pragma once

#include <optional>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/coro/cancel.h"
#include "service/coro/executor.h"

namespace muster::coro {

class Timeout : private Timer {
 public:
  // Enters the scope. A duration of 0 or less fires at the next suspension; none is no limit.
  Timeout(CancelToken& token, std::optional<base::Duration> duration);
  ~Timeout();

  // Leaves the scope. `body` is the body's outcome.
  absl::Status Finish(absl::Status body);

  // Only while the scope is active (semantics 65): FailedPrecondition once it has fired or finished. Nothing is
  // "never".
  absl::Status Reschedule(std::optional<base::Instant> deadline);

  bool expired() const { return state_ == State::kExpiring || state_ == State::kExpired; }
  std::optional<base::Instant> deadline() const { return deadline_; }

 private:
  enum class State { kActive, kExpiring, kExpired, kFinished };

  static void OnTimer(Timer& timer);
  // True when it was this scope's cancel, taken back, that ended the body.
  bool Leave();

  CancelToken& token_;
  Executor& executor_;
  const int cancelling_at_entry_;
  std::optional<base::Instant> deadline_;
  State state_ = State::kActive;
};

}  // namespace muster::coro
