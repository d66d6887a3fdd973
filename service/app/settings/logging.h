// The sink behind base/log.h: lines on stderr, as JSON for machines or as text for people, written by spdlog's thread.
//
// Whoever logs pays for building the line and for a place in a bounded queue; when the writer can't keep up (a full
// pipe), the oldest lines are dropped and counted rather than anybody held up. Payloads are never logged.
//
// JSON: {"time":"2026-11-20T11:20:56.123Z","level":"info","message":"...","future_id":"...", ...}: `time`, `level` and
// `message` first, then the fields in the order given.
//
// Threading: StartLogging and StopLogging from the main thread, before and after all others.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "service/base/clock.h"
#include "service/base/log.h"

namespace muster::app {

enum class LogFormat { kText, kJson };

// `level` and `format` as the configuration spells them; "auto" is text on a terminal, else JSON.
void StartLogging(std::string_view level, std::string_view format);
// Writes what is queued, and gives base/log.h its plain sink back.
void StopLogging();
// Entries that were dropped because the writer was too slow.
uint64_t LogDropped();

base::LogLevel LogLevelOf(std::string_view word);
// Without the line's end.
std::string LogLine(LogFormat format, base::Instant time, base::LogLevel level, std::string_view message,
                    std::span<const base::LogField> fields);

// The trace id of a W3C `traceparent`, empty when it is malformed: the field "trace_id".
std::string_view TraceIdOf(std::string_view traceparent);

}  // namespace muster::app
