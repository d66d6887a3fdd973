#include "tests/bench/tally.h"

#include <algorithm>
#include <limits>

#include <sys/resource.h>

#include "fmt/format.h"

namespace muster::bench {
namespace {

Tally::Clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<Tally::Clock::duration>(std::chrono::duration<double>(seconds));
}

double CpuUs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) { return static_cast<double>(time.tv_sec) * 1e6 + double(time.tv_usec); };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

}  // namespace

Tally::Tally(const Plan& plan) : plan_(plan) { latencies_ns_.reserve(1 << 20); }

bool Tally::Start(uint64_t count, Instant now) {
  if (stopped_) return false;
  if (!started_any_) {
    started_any_ = true;
    window_begins_ = now + Seconds(plan_.warmup_seconds);
    window_ends_ = window_begins_ + Seconds(plan_.seconds);
  }
  if (now >= window_ends_ || (plan_.operations_max > 0 && started_ + count > plan_.operations_max)) {
    stopped_ = true;
    return false;
  }
  started_ += count;
  return true;
}

void Tally::Done(Instant began, uint64_t count, Instant now) {
  done_ += count;
  if (!open_) {
    if (now >= window_begins_) OpenWindow(now);
    return;
  }
  if (!closed_ && now >= window_ends_) CloseWindow(now);
  if (closed_) return;
  measured_ += count;
  last_done_ = now;
  const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(now - began).count();
  latencies_ns_.push_back(static_cast<uint32_t>(std::min<int64_t>(took, std::numeric_limits<uint32_t>::max())));
}

// What ends at this very moment was done before the window.
void Tally::OpenWindow(Instant now) {
  open_ = true;
  window_begins_ = last_done_ = now;
  window_ends_ = now + Seconds(plan_.seconds);
  cpu_us_ = CpuUs();
}

void Tally::CloseWindow(Instant now) {
  closed_ = true;
  window_ends_ = now;
  cpu_us_ = CpuUs() - cpu_us_;
}

void Tally::Close() {
  if (open_ && !closed_) CloseWindow(last_done_);
}

double Tally::QuantileUs(double quantile) {
  return latencies_ns_.empty() ? 0 : Quantile(latencies_ns_, quantile) / 1e3;
}

std::string Tally::ToJson() {
  const double seconds = std::chrono::duration<double>(window_ends_ - window_begins_).count();
  const double operations = static_cast<double>(std::max<uint64_t>(measured_, 1));
  return fmt::format(
      R"("operations_total": {}, "operations": {}, "seconds": {:.4f}, "rate": {:.1f}, "p50_us": {:.2f}, )"
      R"("p99_us": {:.2f}, "cpu_us": {:.3f})",
      done_, measured_, seconds, seconds > 0 ? static_cast<double>(measured_) / seconds : 0, QuantileUs(0.5),
      QuantileUs(0.99), cpu_us_ / operations);
}

}  // namespace muster::bench
