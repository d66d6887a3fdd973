#include "service/base/log.h"

#include <cstdio>
#include <iterator>
#include <vector>

#include <fmt/format.h>

namespace muster::base {
namespace {

void WriteToStderr(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  constexpr std::string_view kNames[] = {"debug", "info", "warning", "error", "off"};
  std::string line = fmt::format("{}: {}", kNames[static_cast<int>(level)], message);
  auto out = std::back_inserter(line);
  for (const LogField& field : fields) {
    switch (field.value.kind()) {
      case LogValue::Kind::kText:
        fmt::format_to(out, " {}={}", field.key, field.value.text());
        break;
      case LogValue::Kind::kInteger:
        fmt::format_to(out, " {}={}", field.key, field.value.integer());
        break;
      case LogValue::Kind::kUnsigned:
        fmt::format_to(out, " {}={}", field.key, field.value.unsigned_integer());
        break;
      case LogValue::Kind::kReal:
        fmt::format_to(out, " {}={}", field.key, field.value.real());
        break;
      case LogValue::Kind::kBool:
        fmt::format_to(out, " {}={}", field.key, field.value.boolean());
        break;
    }
  }
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

// Stored by SetLogSink, loaded by Log: a sink is a function without state, so no more order than that is needed.
std::atomic<LogSink> g_sink{&WriteToStderr};
std::atomic<LogLevel> g_lowest{LogLevel::kWarning};

}  // namespace

void SetLogSink(LogSink sink, LogLevel lowest) {
  g_lowest.store(lowest, std::memory_order_relaxed);
  g_sink.store(sink == nullptr ? &WriteToStderr : sink, std::memory_order_release);
}

bool LogEnabled(LogLevel level) { return level >= g_lowest.load(std::memory_order_relaxed); }

void Log(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  if (!LogEnabled(level)) return;
  g_sink.load(std::memory_order_acquire)(level, message, fields);
}

bool LogLimiter::Allow(Instant now, std::uint64_t* suppressed) {
  MutexLock lock(mutex_);
  if (now >= period_end_) {
    period_end_ = Later(now, period_);
    used_ = 0;
  }
  if (used_ >= burst_) {
    ++suppressed_;
    return false;
  }
  ++used_;
  *suppressed = suppressed_;
  suppressed_ = 0;
  return true;
}

void LogLimited(LogLimiter& limiter, LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  // Limits how much is written, decides nothing: the one user of time that needs no injected clock.
  static const SystemClock clock;
  if (!LogEnabled(level)) return;
  std::uint64_t suppressed = 0;
  if (!limiter.Allow(clock.Now(), &suppressed)) return;
  if (suppressed == 0) {
    Log(level, message, {fields.begin(), fields.size()});
    return;
  }
  std::vector<LogField> all(fields);
  all.push_back({"suppressed", suppressed});
  Log(level, message, all);
}

}  // namespace muster::base
