// Time as the whole service sees it: injected, never read from the system behind a caller's back.
//
// Threading: SystemClock and ManualClock may be read from any thread.
#pragma once

#include <atomic>
#include <chrono>

namespace muster::base {

// Microseconds carry 290,000 years either way, so that sums of a valid protobuf Duration (10,000 years) never overflow.
using Duration = std::chrono::microseconds;
// Wall-clock time since the Unix epoch.
using Instant = std::chrono::time_point<std::chrono::system_clock, Duration>;

inline constexpr Instant kNever = Instant::max();

// `now + delay`, held at kNever instead of overflowing.
constexpr Instant Later(Instant now, Duration delay) {
  if (delay >= kNever - now) return kNever;
  return now + delay;
}

class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes backwards.
  virtual Instant Now() const = 0;
};

// The system's wall clock read once at construction and carried on by the monotonic clock, so that a step of the
// system's time neither fires nor delays a timer.
class SystemClock final : public Clock {
 public:
  SystemClock()
      : wall_at_start_(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now())),
        steady_at_start_(std::chrono::steady_clock::now()) {}

  Instant Now() const override {
    return wall_at_start_ + std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - steady_at_start_);
  }

 private:
  const Instant wall_at_start_;
  const std::chrono::steady_clock::time_point steady_at_start_;
};

// Stands still until it is told to move: what tests and `musterd --clock=manual` use.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Instant start = Instant(std::chrono::seconds(1'000'000'000))) : now_(start) {}

  Instant Now() const override { return now_.load(std::memory_order_acquire); }
  void Advance(Duration by) { now_.store(Now() + by, std::memory_order_release); }
  // `to` before the present time is ignored: time never goes backwards.
  void AdvanceTo(Instant to) {
    if (to > Now()) now_.store(to, std::memory_order_release);
  }

 private:
  std::atomic<Instant> now_;  // stored by the one thread that advances, loaded anywhere
};

}  // namespace muster::base
