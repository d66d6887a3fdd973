#include "service/base/options/value_text.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "service/base/nearest.h"

namespace muster::base {
namespace {

struct Unit {
  std::string_view name;
  uint64_t size;
};

constexpr Unit kByteUnits[] = {{"TiB", 1ull << 40},
                               {"GiB", 1ull << 30},
                               {"MiB", 1ull << 20},
                               {"KiB", 1ull << 10},
                               {"TB", 1'000'000'000'000},
                               {"GB", 1'000'000'000},
                               {"MB", 1'000'000},
                               {"KB", 1'000},
                               {"B", 1}};
constexpr Unit kTimeUnits[] = {{"d", 86'400'000'000}, {"h", 3'600'000'000}, {"m", 60'000'000},
                               {"s", 1'000'000},      {"ms", 1'000},        {"us", 1}};

// Takes the digits at the front of `text`; nullopt when there are none or too many.
std::optional<uint64_t> TakeNumber(std::string_view& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

std::optional<uint64_t> ParseCount(std::string_view text) {
  const std::optional<uint64_t> number = TakeNumber(text);
  return text.empty() ? number : std::nullopt;
}

std::optional<uint64_t> ParseBytes(std::string_view text) {
  const std::optional<uint64_t> number = TakeNumber(text);
  if (!number.has_value() || text.empty()) return number;
  if (text.front() == ' ') text.remove_prefix(1);
  for (const Unit& unit : kByteUnits) {
    if (!EqualsIgnoringCase(text, unit.name)) continue;
    if (*number > UINT64_MAX / unit.size) return std::nullopt;
    return *number * unit.size;
  }
  return std::nullopt;
}

std::optional<Duration> ParseDuration(std::string_view text) {
  if (text == "0") return Duration(0);
  if (text.empty()) return std::nullopt;
  constexpr uint64_t kMax = INT64_MAX;
  uint64_t total = 0;
  while (!text.empty()) {
    const std::optional<uint64_t> number = TakeNumber(text);
    if (!number.has_value()) return std::nullopt;
    const std::string_view word = text.substr(0, std::min(text.find_first_of("0123456789"), text.size()));
    const Unit* found =
        std::find_if(std::begin(kTimeUnits), std::end(kTimeUnits), [&](const Unit& unit) { return unit.name == word; });
    if (found == std::end(kTimeUnits) || *number > (kMax - total) / found->size) return std::nullopt;
    total += *number * found->size;
    text.remove_prefix(word.size());
  }
  return Duration(static_cast<int64_t>(total));
}

std::optional<bool> ParseBool(std::string_view text) {
  for (const std::string_view word : {"true", "yes", "on", "1"}) {
    if (EqualsIgnoringCase(text, word)) return true;
  }
  for (const std::string_view word : {"false", "no", "off", "0"}) {
    if (EqualsIgnoringCase(text, word)) return false;
  }
  return std::nullopt;
}

std::string BytesText(uint64_t bytes) {
  for (const Unit& unit : kByteUnits) {
    if (unit.name.size() == 3 && bytes >= unit.size && bytes % unit.size == 0) {
      return fmt::format("{}{}", bytes / unit.size, unit.name);
    }
  }
  return fmt::format("{}", bytes);
}

std::string DurationText(Duration duration) {
  auto left = static_cast<uint64_t>(std::max<int64_t>(duration.count(), 0));
  if (left == 0) return "0";
  std::string text;
  for (const Unit& unit : kTimeUnits) {
    if (left < unit.size) continue;
    text += fmt::format("{}{}", left / unit.size, unit.name);
    left %= unit.size;
  }
  return text;
}

std::optional<std::string> DidYouMean(std::string_view word, const std::vector<std::string>& words) {
  const size_t near_enough = std::max<size_t>(2, word.size() / 3);
  const std::string* best = nullptr;
  size_t best_distance = near_enough + 1;
  for (const std::string& candidate : words) {
    const size_t distance = base::EditDistance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = &candidate;
      best_distance = distance;
    }
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

std::vector<std::string> SplitTrimmed(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t at = text.find(separator);
    std::string_view part = text.substr(0, at);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

}  // namespace muster::base
