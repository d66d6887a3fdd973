#include "client/cli/duration.h"

#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace muster::cli {
namespace {

struct Unit {
  std::string_view name;
  double micros;
};
constexpr std::array<Unit, 6> kUnits = {
    {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}, {"d", 86400e6}}};

absl::Status Bad(std::string_view text) {
  return absl::InvalidArgumentError(
      fmt::format("'{}' is no duration; write a number with a unit: 250ms, 1.5s, 2m, 1h, 3d", text));
}

}  // namespace

absl::StatusOr<base::Duration> ParseDuration(std::string_view text) {
  std::string_view rest = text;
  const bool negative = !rest.empty() && rest.front() == '-';
  if (negative) rest.remove_prefix(1);
  if (rest == "0") return base::Duration::zero();
  if (rest.empty()) return Bad(text);
  double micros = 0;
  while (!rest.empty()) {
    if ((rest.front() < '0' || rest.front() > '9') && rest.front() != '.') return Bad(text);
    double number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (error != std::errc()) return Bad(text);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    std::size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    const std::string_view name = rest.substr(0, letters);
    const Unit* unit = nullptr;
    for (const Unit& one : kUnits) {
      if (one.name == name) unit = &one;
    }
    if (unit == nullptr) return Bad(text);
    micros += number * unit->micros;
    rest.remove_prefix(letters);
  }
  // 10,000 years, as a protobuf Duration.
  if (micros > 315'576'000'000e6) {
    return absl::InvalidArgumentError(fmt::format("'{}' is longer than 10,000 years", text));
  }
  const auto whole = static_cast<base::Duration::rep>(std::llround(micros));
  return base::Duration(negative ? -whole : whole);
}

std::string FormatDuration(base::Duration duration) {
  const double seconds = static_cast<double>(duration.count()) / 1e6;
  if (seconds < 0) return "-" + FormatDuration(-duration);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(seconds);
  const auto two = [](std::int64_t large, const char* large_unit, std::int64_t small, const char* small_unit) {
    if (small == 0) return fmt::format("{} {}", large, large_unit);
    return fmt::format("{} {} {} {}", large, large_unit, small, small_unit);
  };
  if (whole < 3600) return two(whole / 60, "m", whole % 60, "s");
  if (whole < 86400) return two(whole / 3600, "h", whole % 3600 / 60, "m");
  return two(whole / 86400, "d", whole % 86400 / 3600, "h");
}

}  // namespace muster::cli
