#include "service/app/settings/logging.h"

#include <atomic>
#include <cmath>
#include <iterator>
#include <memory>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <unistd.h>

namespace muster::app {
namespace {

constexpr size_t kQueueEntries = 8192;
constexpr size_t kTextBytesMax = 4096;  // of a message or a field: clients' words end up here too
constexpr std::string_view kLevels[] = {"debug", "info", "warning", "error", "off"};

// Length of the valid UTF-8 sequence at `at`, 0 when there is none.
size_t Utf8Length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  size_t length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : 0;
  if (lead >= 0xf0 && lead < 0xf5) length = 4;
  if (length == 0 || at + length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xe0 && byte(at + 1) < 0xa0) return 0;   // overlong
  if (lead == 0xed && byte(at + 1) >= 0xa0) return 0;  // a surrogate
  if (lead == 0xf0 && byte(at + 1) < 0x90) return 0;   // overlong
  if (lead == 0xf4 && byte(at + 1) >= 0x90) return 0;  // past the last code point
  return length;
}

// `text` so that no reader of the line can be misled: control characters escaped, what is no UTF-8 replaced, too much
// cut off. The escapes are those of JSON.
void AppendEscaped(std::string& out, std::string_view text) {
  const bool cut = text.size() > kTextBytesMax;
  if (cut) text = text.substr(0, kTextBytesMax);
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    const size_t length = Utf8Length(text, at);
    if (length == 0) {
      out += "\\ufffd";
    } else if (length > 1) {
      out.append(text, at, length);
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
    at += length == 0 ? 1 : length;
  }
  if (cut) out += "...";
}

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  AppendEscaped(out, text);
  out += '"';
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '\\' || c == '=' || c == 0x7f) return true;
  }
  return false;
}

void AppendValue(std::string& out, LogFormat format, const base::LogValue& value) {
  auto to = std::back_inserter(out);
  switch (value.kind()) {
    case base::LogValue::Kind::kText:
      if (format == LogFormat::kJson || NeedsQuotes(value.text())) {
        AppendQuoted(out, value.text());
      } else {
        AppendEscaped(out, value.text());
      }
      break;
    case base::LogValue::Kind::kInteger:
      fmt::format_to(to, "{}", value.integer());
      break;
    case base::LogValue::Kind::kUnsigned:
      fmt::format_to(to, "{}", value.unsigned_integer());
      break;
    case base::LogValue::Kind::kReal:
      if (std::isfinite(value.real())) {
        fmt::format_to(to, "{}", value.real());
      } else {
        out += "null";
      }
      break;
    case base::LogValue::Kind::kBool:
      out += value.boolean() ? "true" : "false";
      break;
  }
}

struct State {
  LogFormat format = LogFormat::kText;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
  base::SystemClock clock;  // a manual clock is for jobs; the log tells real time
};

// Set and cleared by the main thread while no other one logs; read by all.
std::atomic<State*> g_state{nullptr};

void Sink(base::LogLevel level, std::string_view message, std::span<const base::LogField> fields) {
  State* state = g_state.load(std::memory_order_acquire);
  if (state == nullptr) return;
  const std::string line = LogLine(state->format, state->clock.Now(), level, message, fields);
  state->logger->log(level >= base::LogLevel::kError ? spdlog::level::err : spdlog::level::info,
                     spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

base::LogLevel LogLevelOf(std::string_view word) {
  for (size_t i = 0; i < std::size(kLevels); ++i) {
    if (kLevels[i] == word) return static_cast<base::LogLevel>(i);
  }
  return base::LogLevel::kInfo;
}

std::string LogLine(LogFormat format, base::Instant time, base::LogLevel level, std::string_view message,
                    std::span<const base::LogField> fields) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(time - seconds).count();
  const std::string stamp =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds.time_since_epoch().count()), millis);
  const std::string_view level_name = kLevels[static_cast<size_t>(level)];
  std::string line;
  line.reserve(160);
  if (format == LogFormat::kJson) {
    line += fmt::format(R"({{"time":"{}","level":"{}","message":)", stamp, level_name);
    AppendQuoted(line, message);
    for (const base::LogField& field : fields) {
      line += ',';
      AppendQuoted(line, field.key);
      line += ':';
      AppendValue(line, format, field.value);
    }
    line += '}';
    return line;
  }
  line += fmt::format("{} {:<7} ", stamp, level_name);
  AppendEscaped(line, message);
  for (const base::LogField& field : fields) {
    line += ' ';
    AppendEscaped(line, field.key);
    line += '=';
    AppendValue(line, format, field.value);
  }
  return line;
}

void StartLogging(std::string_view level, std::string_view format) {
  StopLogging();
  auto* state = new State;
  const bool terminal = isatty(STDERR_FILENO) == 1;
  state->format = format == "json" || (format != "text" && !terminal) ? LogFormat::kJson : LogFormat::kText;
  state->pool = std::make_shared<spdlog::details::thread_pool>(kQueueEntries, 1);
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(spdlog::color_mode::never);
  sink->set_pattern("%v");
  state->logger = std::make_shared<spdlog::async_logger>("musterd", std::move(sink), state->pool,
                                                         spdlog::async_overflow_policy::overrun_oldest);
  state->logger->set_level(spdlog::level::trace);
  state->logger->flush_on(spdlog::level::err);
  g_state.store(state, std::memory_order_release);
  base::SetLogSink(&Sink, LogLevelOf(level));
}

void StopLogging() {
  State* state = g_state.load(std::memory_order_acquire);
  if (state == nullptr) return;
  base::SetLogSink(nullptr, base::LogLevel::kWarning);
  g_state.store(nullptr, std::memory_order_release);
  state->logger->flush();
  state->logger.reset();
  state->pool.reset();  // joins its thread, which writes what is queued first
  delete state;
}

uint64_t LogDropped() {
  State* state = g_state.load(std::memory_order_acquire);
  return state == nullptr ? 0 : state->pool->overrun_counter();
}

std::string_view TraceIdOf(std::string_view traceparent) {
  // version "-" trace id, 32 lower-case hexadecimal digits "-" parent id "-" flags
  if (traceparent.size() < 55 || traceparent[2] != '-' || traceparent[35] != '-') return {};
  const std::string_view id = traceparent.substr(3, 32);
  if (id.find_first_not_of("0123456789abcdef") != std::string_view::npos) return {};
  return id.find_first_not_of('0') == std::string_view::npos ? std::string_view() : id;
}

}  // namespace muster::app
