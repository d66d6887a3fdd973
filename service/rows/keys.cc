#include <type_traits>

#include <fmt/format.h>

#include "service/rows/rows.h"

namespace muster::rows {
namespace {

constexpr size_t kShardBytes = 2;
constexpr size_t kSequenceBytes = 8;
constexpr size_t kNumberBytes = 4;

// The highest byte first, so that bytes sort as the numbers do.
template <typename Number>
void Put(Number number, std::string& key) {
  static_assert(std::is_unsigned_v<Number>);
  for (int shift = 8 * static_cast<int>(sizeof(Number)) - 8; shift >= 0; shift -= 8) {
    key.push_back(static_cast<char>(number >> shift));
  }
}

void Begin(Table table, std::string& key) { key.assign(1, static_cast<char>(table)); }

// Takes the number that `rest` begins with, which is long enough.
uint64_t Take(size_t bytes, std::string_view& rest) {
  uint64_t number = 0;
  for (size_t at = 0; at < bytes; ++at) number = number << 8 | static_cast<uint8_t>(rest[at]);
  rest.remove_prefix(bytes);
  return number;
}

absl::Status WrongLength(std::string_view key, const char* table, size_t wanted) {
  return absl::DataLossError(fmt::format("key of {}: {} bytes instead of {}", table, key.size(), wanted));
}

absl::StatusOr<Key> ParseFutureKey(std::string_view whole, Key key) {
  constexpr size_t kBytes = 1 + kShardBytes + kSequenceBytes + 1;
  if (whole.size() != kBytes) return WrongLength(whole, "a future", kBytes);
  std::string_view rest = whole.substr(1);
  key.shard = static_cast<values::ShardIndex>(Take(kShardBytes, rest));
  key.sequence = Take(kSequenceBytes, rest);
  const uint64_t part = Take(1, rest);
  if (part > static_cast<uint64_t>(Part::kMembers)) {
    return absl::DataLossError(
        fmt::format("key of a future: part {} is unknown; {} is the last", part, static_cast<int>(Part::kMembers)));
  }
  key.part = static_cast<Part>(part);
  return key;
}

absl::StatusOr<Key> ParseNumberKey(std::string_view whole, Key key, const char* table) {
  constexpr size_t kBytes = 1 + kNumberBytes;
  if (whole.size() != kBytes) return WrongLength(whole, table, kBytes);
  std::string_view rest = whole.substr(1);
  key.number = static_cast<uint32_t>(Take(kNumberBytes, rest));
  return key;
}

absl::StatusOr<Key> ParseRequestKey(std::string_view whole, Key key) {
  constexpr size_t kBytesMin = 1 + kShardBytes + kNumberBytes;
  if (whole.size() < kBytesMin) {
    return absl::DataLossError(
        fmt::format("key of a request id: {} bytes instead of at least {}", whole.size(), kBytesMin));
  }
  std::string_view rest = whole.substr(1);
  key.shard = static_cast<values::ShardIndex>(Take(kShardBytes, rest));
  key.number = static_cast<uint32_t>(Take(kNumberBytes, rest));
  key.request_id = rest;
  return key;
}

absl::StatusOr<Key> ParseMarksKey(std::string_view whole, Key key) {
  if (whole.size() != 1 + kShardBytes) return WrongLength(whole, "marks", 1 + kShardBytes);
  std::string_view rest = whole.substr(1);
  key.shard = static_cast<values::ShardIndex>(Take(kShardBytes, rest));
  return key;
}

}  // namespace

void FutureKey(values::ShardIndex shard, uint64_t sequence, Part part, std::string& key) {
  Begin(Table::kFuture, key);
  Put(shard, key);
  Put(sequence, key);
  key.push_back(static_cast<char>(part));
}

void RequestKey(values::ShardIndex shard, values::NamespaceId ns, std::string_view request_id, std::string& key) {
  Begin(Table::kRequest, key);
  Put(shard, key);
  Put(ns, key);
  key.append(request_id);
}

void MarksKey(values::ShardIndex shard, std::string& key) {
  Begin(Table::kMarks, key);
  Put(shard, key);
}

void NamespaceKey(values::NamespaceId ns, std::string& key) {
  Begin(Table::kNamespace, key);
  Put(ns, key);
}

void FunctionKey(values::FunctionId function, std::string& key) {
  Begin(Table::kFunction, key);
  Put(function, key);
}

void HeaderKey(std::string& key) { Begin(Table::kHeader, key); }

std::string ShardPrefix(Table table, values::ShardIndex shard) {
  std::string prefix;
  Begin(table, prefix);
  Put(shard, prefix);
  return prefix;
}

absl::StatusOr<Key> ParseKey(std::string_view whole) {
  if (whole.empty()) return absl::DataLossError("an empty key");
  Key key;
  key.table = static_cast<Table>(whole[0]);
  switch (key.table) {
    case Table::kFuture:
      return ParseFutureKey(whole, key);
    case Table::kRequest:
      return ParseRequestKey(whole, key);
    case Table::kMarks:
      return ParseMarksKey(whole, key);
    case Table::kNamespace:
      return ParseNumberKey(whole, key, "a namespace");
    case Table::kFunction:
      return ParseNumberKey(whole, key, "a function");
    case Table::kHeader:
      if (whole.size() != 1) return WrongLength(whole, "the header", 1);
      return key;
  }
  return absl::DataLossError(
      fmt::format("a key of table {:#x}, which is unknown", static_cast<unsigned>(static_cast<uint8_t>(whole[0]))));
}

}  // namespace muster::rows
