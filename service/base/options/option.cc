#include "service/base/options/option.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include "service/base/check.h"
#include "service/base/options/host_port.h"
#include "service/base/options/value_text.h"

namespace muster::base {
namespace {

template <typename T>
T& At(const Option& option) {
  T* const* value = std::get_if<T*>(&option.value);
  MUSTER_CHECK(value != nullptr && *value != nullptr) << "type and value do not match: " << option.key;
  return **value;
}

uint64_t Number(const Option& option) {
  if (std::holds_alternative<uint32_t*>(option.value)) return At<uint32_t>(option);
  return At<uint64_t>(option);
}

std::string OutOfRange(const Option& option, std::string_view text) {
  return fmt::format("{} is out of range; allowed is {} to {}", text, BoundText(option, option.min),
                     BoundText(option, option.max));
}

std::string StoreBool(const Option& option, std::string_view text) {
  const std::optional<bool> value = ParseBool(text);
  if (!value.has_value()) return fmt::format("\"{}\" is neither true nor false", text);
  At<bool>(option) = *value;
  return {};
}

std::string StoreNumber(const Option& option, std::string_view text) {
  const bool bytes = option.type == ValueType::kBytes;
  const std::optional<uint64_t> number = bytes ? ParseBytes(text) : ParseCount(text);
  if (!number.has_value()) {
    return fmt::format(
        "\"{}\" is {}", text,
        bytes ? "no size; write a whole number with an optional unit, such as 64KiB or 4MiB" : "no whole number");
  }
  if (*number < option.min || *number > option.max) return OutOfRange(option, text);
  if (std::holds_alternative<uint32_t*>(option.value)) {
    At<uint32_t>(option) = static_cast<uint32_t>(*number);
  } else {
    At<uint64_t>(option) = *number;
  }
  return {};
}

std::string StoreDuration(const Option& option, std::string_view text) {
  const std::optional<Duration> duration = ParseDuration(text);
  if (!duration.has_value()) {
    return fmt::format("\"{}\" is no duration; write whole numbers with units us, ms, s, m, h, d, such as 90s or 1h30m",
                       text);
  }
  const auto count = static_cast<uint64_t>(duration->count());
  if (count < option.min || count > option.max) return OutOfRange(option, text);
  At<Duration>(option) = *duration;
  return {};
}

std::string StoreChoice(const Option& option, std::string_view text) {
  const std::vector<std::string> words = SplitTrimmed(option.choices, ',');
  if (std::find(words.begin(), words.end(), text) == words.end()) {
    const std::optional<std::string> meant = DidYouMean(text, words);
    return fmt::format("\"{}\" is none of {}{}", text, fmt::join(words, ", "),
                       meant.has_value() ? fmt::format("; did you mean {}?", *meant) : "");
  }
  At<std::string>(option) = std::string(text);
  return {};
}

std::string StoreAddress(const Option& option, std::string_view text) {
  HostPort parsed;
  if (!ParseHostPort(text, &parsed)) {
    return fmt::format(
        "\"{}\" is no address; write a numeric address or localhost and a port up to 65535, such as "
        "127.0.0.1:7411 or [::1]:7411",
        text);
  }
  At<std::string>(option) = std::string(text);
  return {};
}

}  // namespace

std::string ValueText(const Option& option) {
  switch (option.type) {
    case ValueType::kBool:
      return At<bool>(option) ? "true" : "false";
    case ValueType::kCount:
      return fmt::format("{}", Number(option));
    case ValueType::kBytes:
      return BytesText(Number(option));
    case ValueType::kDuration:
      return DurationText(At<Duration>(option));
    case ValueType::kList:
      return fmt::format("{}", fmt::join(At<std::vector<std::string>>(option), ","));
    case ValueType::kText:
    case ValueType::kChoice:
    case ValueType::kAddress:
      return At<std::string>(option);
  }
  return {};
}

std::string StoreValue(const Option& option, std::string_view text) {
  switch (option.type) {
    case ValueType::kBool:
      return StoreBool(option, text);
    case ValueType::kCount:
    case ValueType::kBytes:
      return StoreNumber(option, text);
    case ValueType::kDuration:
      return StoreDuration(option, text);
    case ValueType::kChoice:
      return StoreChoice(option, text);
    case ValueType::kAddress:
      return StoreAddress(option, text);
    case ValueType::kText:
      At<std::string>(option) = std::string(text);
      return {};
    case ValueType::kList:
      At<std::vector<std::string>>(option) = SplitTrimmed(text, ',');
      return {};
  }
  return {};
}

std::string BoundText(const Option& option, uint64_t bound) {
  switch (option.type) {
    case ValueType::kBytes:
      return BytesText(bound);
    case ValueType::kDuration:
      return DurationText(Duration(static_cast<int64_t>(bound)));
    default:
      return fmt::format("{}", bound);
  }
}

std::string WrongWithFile(const std::string& path) {
  struct stat info{};
  if (path.empty()) return {};
  if (stat(path.c_str(), &info) != 0) return fmt::format("\"{}\": {}", path, std::strerror(errno));
  return S_ISREG(info.st_mode) ? std::string() : fmt::format("\"{}\" is no file", path);
}

}  // namespace muster::base
