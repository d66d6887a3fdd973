// An option that an operator can set: its key, type, bounds and help, bound to the variable that holds its value. A
// part of the server that has options returns a table of these; reading them from files, variables and flags, printing
// them and documenting them is done once, for all tables (service/app/settings/config.h).
//
//   struct MailOptions { std::string server; uint64_t bytes_max = 1u << 20; } mail;
//   std::vector<Option> table = {
//       {"mail.server", ValueType::kAddress, &mail.server, "Where mail is handed in."},
//       {"mail.bytes_max", ValueType::kBytes, &mail.bytes_max, "Bytes of one mail.", kKiB, kGiB},
//   };
//   std::string wrong = StoreValue(table[1], "4MiB");  // empty: it was stored
//
// Threading: none of its own. Lifetime: the bound variable outlives the Option.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "service/base/clock.h"

namespace muster::base {

// What a value is, for parsing, printing and the reference. A duration's bounds are microseconds.
enum class ValueType { kBool, kCount, kBytes, kDuration, kText, kChoice, kAddress, kList };

// Where the value lives. kCount and kBytes: either width; kText, kChoice and kAddress: a string.
using OptionValue = std::variant<bool*, uint32_t*, uint64_t*, Duration*, std::string*, std::vector<std::string>*>;

struct Option {
  std::string_view key;  // "mail.bytes_max"; all keys of one section stand together
  ValueType type;
  OptionValue value;
  std::string_view help;
  // kCount and kBytes: as they are; kDuration: microseconds. Without a meaning for other types.
  uint64_t min = 0;
  uint64_t max = UINT64_MAX;
  // kChoice: the words, separated by commas.
  std::string_view choices = {};
  // What the default means, where its value alone does not say it.
  std::string_view default_note = {};
};

// For bounds.
inline constexpr uint64_t kKiB = 1ull << 10, kMiB = 1ull << 20, kGiB = 1ull << 30, kTiB = 1ull << 40;
inline constexpr uint64_t kMillisecond = 1'000, kSecond = 1'000'000, kHour = 3600 * kSecond, kDay = 24 * kHour;

// What is wrong with the value of an option, and what to do about it.
struct OptionProblem {
  std::string key;
  std::string message;
};

// The value as it would be written in a file; a list is joined by commas.
std::string ValueText(const Option& option);
// Empty when `text` was stored; else what is wrong with it: the value, and what is allowed.
std::string StoreValue(const Option& option, std::string_view text);
// A bound as a value of this option would be written.
std::string BoundText(const Option& option, uint64_t bound);

// For the value of a kText that names a file: empty when there is a regular file, or `path` is empty; else what is
// wrong.
std::string WrongWithFile(const std::string& path);

}  // namespace muster::base
