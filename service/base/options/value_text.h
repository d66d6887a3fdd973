// Values as people write them: "1h30m", "64MiB", and what a mistyped word may have meant.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/base/clock.h"

namespace muster::base {

// A whole number, at most 2^64 - 1.
std::optional<uint64_t> ParseCount(std::string_view text);
// A whole number with an optional unit: B, KiB, MiB, GiB, TiB, KB, MB, GB, TB.
std::optional<uint64_t> ParseBytes(std::string_view text);
// One or more whole numbers with units us, ms, s, m, h, d: "90s", "1h30m". "0" needs none.
std::optional<Duration> ParseDuration(std::string_view text);
std::optional<bool> ParseBool(std::string_view text);

// With the largest units that divide it, so that parsing gives it back.
std::string BytesText(uint64_t bytes);
std::string DurationText(Duration duration);

// The word that is nearest to `word`, if any is near enough to be what was meant.
std::optional<std::string> DidYouMean(std::string_view word, const std::vector<std::string>& words);

std::vector<std::string> SplitTrimmed(std::string_view text, char separator);

// For metrics and log lines.
constexpr double Seconds(Duration duration) { return static_cast<double>(duration.count()) * 1e-6; }

}  // namespace muster::base
