// What a load generator counts: operations started and done, how long each took, and the process's CPU meanwhile.
//
// There is a warm-up, then a window that is measured, then a drain of what is still in flight. Everything counts
// towards operations_total (the server's own count must agree with it); only what ends in the window is measured.
//
//   Tally tally(plan);
//   while (tally.Start(1, Tally::Now())) { const auto began = Tally::Now(); Work(); tally.Done(began, 1, Tally::Now());
//   }
//
// Threading: one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace muster::bench {

// The value that this part of them does not exceed; reorders them. There must be some.
template <typename T>
T Quantile(std::vector<T>& values, double quantile) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(quantile * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

class Tally {
 public:
  using Clock = std::chrono::steady_clock;
  using Instant = Clock::time_point;

  struct Plan {
    double warmup_seconds = 0.2;
    double seconds = 1;
    uint64_t operations_max = 0;  // warm-up included; 0 is no limit
  };

  explicit Tally(const Plan& plan);

  static Instant Now() { return Clock::now(); }

  // May `count` operations begin? The first call starts the warm-up. Once false, always false.
  bool Start(uint64_t count, Instant now);
  // `count` operations that began together are over.
  void Done(Instant began, uint64_t count, Instant now);

  // Ends the window, if the plan's time has not; after the last Done. Then the rest may be asked for.
  void Close();
  bool measured_anything() const { return !latencies_ns_.empty() && window_ends_ > window_begins_; }
  // The body of a JSON object, without braces: operations_total, operations, seconds, rate, p50_us, p99_us, cpu_us.
  std::string ToJson();

 private:
  double QuantileUs(double quantile);
  void OpenWindow(Instant now);
  void CloseWindow(Instant now);

  const Plan plan_;
  bool started_any_ = false;
  bool stopped_ = false;
  bool open_ = false;    // the window has begun
  bool closed_ = false;  // and ended
  Instant window_begins_;
  Instant window_ends_;
  Instant last_done_;
  uint64_t started_ = 0;
  uint64_t done_ = 0;
  uint64_t measured_ = 0;
  double cpu_us_ = 0;                   // at the window's begin, then spent in it
  std::vector<uint32_t> latencies_ns_;  // one for each Done in the window
};

}  // namespace muster::bench
