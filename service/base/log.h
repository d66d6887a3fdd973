// How the layers below app say something to the operator: a message and key/value pairs to one sink of the process.
//
// Threading: any thread, any time; the sink must be as free. Lifetime: the sink is a plain function that lives as long
// as the process. Before one is set, warnings and errors go to stderr as text.
//
//   base::LogWarning("a job blocks its loop", {{"loop", index}, {"function", name}, {"seconds", 1.5}});
//
// Never log a payload. Ids go under the keys "future_id" and "trace_id", the RPC's method under "rpc".
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "service/base/clock.h"
#include "service/base/mutex.h"

namespace muster::base {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };

// A value that lives no longer than the call it is an argument of: text is referred to, not copied.
class LogValue {
 public:
  enum class Kind : std::uint8_t { kText, kInteger, kUnsigned, kReal, kBool };

  LogValue(std::string_view text) : text_(text) {}                        // NOLINT: written inside braces
  LogValue(const char* text) : text_(text) {}                             // NOLINT
  LogValue(const std::string& text) : text_(text) {}                      // NOLINT
  LogValue(double value) : kind_(Kind::kReal), real_(value) {}            // NOLINT
  LogValue(bool value) : kind_(Kind::kBool), unsigned_(value ? 1 : 0) {}  // NOLINT
  template <typename T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  LogValue(T value) {  // NOLINT
    if constexpr (std::is_signed_v<T>) {
      kind_ = Kind::kInteger;
      integer_ = value;
    } else {
      kind_ = Kind::kUnsigned;
      unsigned_ = value;
    }
  }

  Kind kind() const { return kind_; }
  std::string_view text() const { return text_; }
  std::int64_t integer() const { return integer_; }
  std::uint64_t unsigned_integer() const { return unsigned_; }
  double real() const { return real_; }
  bool boolean() const { return unsigned_ != 0; }

 private:
  Kind kind_ = Kind::kText;
  std::string_view text_;
  union {
    std::int64_t integer_ = 0;
    std::uint64_t unsigned_;
    double real_;
  };
};

struct LogField {
  std::string_view key;
  LogValue value;
};

using LogSink = void (*)(LogLevel level, std::string_view message, std::span<const LogField> fields);

// Null brings back stderr. Entries below `lowest` do not reach the sink.
void SetLogSink(LogSink sink, LogLevel lowest);
// For callers whose fields cost something to compute.
bool LogEnabled(LogLevel level);

void Log(LogLevel level, std::string_view message, std::span<const LogField> fields);

inline void LogDebug(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, message, {fields.begin(), fields.size()});
}
inline void LogInfo(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, message, {fields.begin(), fields.size()});
}
inline void LogWarning(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, message, {fields.begin(), fields.size()});
}
inline void LogError(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, message, {fields.begin(), fields.size()});
}

// Lets `burst` entries through in each `period` and counts the rest: what a client can cause a million times a second
// must not become a million lines. One object a place that logs, static there.
class LogLimiter {
 public:
  explicit LogLimiter(int burst = 3, Duration period = std::chrono::seconds(10)) : burst_(burst), period_(period) {}

  // Whether to log now. `*suppressed` is how many were swallowed since the last one that was let through.
  bool Allow(Instant now, std::uint64_t* suppressed) MUSTER_EXCLUDES(mutex_);

 private:
  const int burst_;
  const Duration period_;
  Mutex mutex_;
  Instant period_end_ MUSTER_GUARDED_BY(mutex_) = Instant::min();
  int used_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::uint64_t suppressed_ MUSTER_GUARDED_BY(mutex_) = 0;
};

// Adds the field "suppressed" when there were any.
void LogLimited(LogLimiter& limiter, LogLevel level, std::string_view message,
                std::initializer_list<LogField> fields = {});

}  // namespace muster::base
