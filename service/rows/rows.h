// The service's state as rows of a journal: keys, and the bytes of each value.
//
// Keys sort as numbers do (big-endian), by table first, and grow with time: futures of a shard lie in the order in
// which they were made, with their input and members beside them. A value begins with the version of its form; a
// version above kRowVersion is refused, and every earlier one is read for ever: tests/unit/rows holds a row of each.
//
//   'f' shard:2 sequence:8 part:1    a future (part 0), its input (1), its members (2)
//   'r' shard:2 namespace:4 text     a request id whose future is gone
//   'k' shard:2                      marks
//   'n' namespace:4                  a namespace's name
//   'u' function:4                   a function's name and kind
//   'v'                              the header: what all of this is
//
// Pure functions; any thread. Decoding trusts nothing: DATA_LOSS says what is wrong, never a crash or a huge
// allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "service/core/record/record.h"

namespace muster::rows {

// Of the layout as a whole: raised when keys or the meaning of tables change, which needs an upgrade step.
inline constexpr uint32_t kSchemaVersion = 1;
// Of the forms of values.
inline constexpr uint8_t kRowVersion = 1;

enum class Table : char {
  kFuture = 'f',
  kRequest = 'r',
  kMarks = 'k',
  kNamespace = 'n',
  kFunction = 'u',
  kHeader = 'v',
};
enum class Part : uint8_t { kFuture = 0, kInput = 1, kMembers = 2 };

// Each replaces what `key` holds, so that one buffer serves many.
void FutureKey(values::ShardIndex shard, uint64_t sequence, Part part, std::string& key);
void RequestKey(values::ShardIndex shard, values::NamespaceId ns, std::string_view request_id, std::string& key);
void MarksKey(values::ShardIndex shard, std::string& key);
void NamespaceKey(values::NamespaceId ns, std::string& key);
void FunctionKey(values::FunctionId function, std::string& key);
void HeaderKey(std::string& key);
// What the keys of one shard's rows in a table begin with; for tables by shard.
std::string ShardPrefix(Table table, values::ShardIndex shard);

struct Key {
  Table table = Table::kHeader;
  values::ShardIndex shard = 0;  // kFuture, kRequest, kMarks
  uint64_t sequence = 0;         // kFuture
  Part part = Part::kFuture;     // kFuture
  uint32_t number = 0;           // kRequest, kNamespace: the namespace; kFunction: the function
  std::string_view request_id;   // kRequest: within the key that was parsed
};
absl::StatusOr<Key> ParseKey(std::string_view key);

struct FunctionRow {
  std::string name;
  values::FunctionKind kind = values::FunctionKind::kAsync;
  friend bool operator==(const FunctionRow&, const FunctionRow&) = default;
};
struct HeaderRow {
  uint32_t schema = kSchemaVersion;
  uint32_t shards = 0;     // virtual shards, fixed for the life of the store
  std::string written_by;  // version of the server that wrote it last
  friend bool operator==(const HeaderRow&, const HeaderRow&) = default;
};

// Each appends to `out`.
void Encode(const core::FutureRecord& record, std::string& out);
void Encode(const values::Payload& payload, std::string& out);
void Encode(const core::MembersRecord& members, std::string& out);
void Encode(const core::RequestRecord& record, std::string& out);
void Encode(const core::MarksRecord& marks, std::string& out);
void Encode(const FunctionRow& function, std::string& out);
void Encode(const HeaderRow& header, std::string& out);
void EncodeName(std::string_view name, std::string& out);  // of a namespace

// What the key says (shard, sequence; namespace and request id) is not repeated in the value, hence the arguments.
absl::StatusOr<core::FutureRecord> DecodeFuture(values::ShardIndex shard, uint64_t sequence, std::string_view value);
absl::StatusOr<values::Payload> DecodePayload(std::string_view value);
absl::StatusOr<core::MembersRecord> DecodeMembers(std::string_view value);
absl::StatusOr<core::RequestRecord> DecodeRequest(values::NamespaceId ns, std::string_view request_id,
                                                  std::string_view value);
absl::StatusOr<core::MarksRecord> DecodeMarks(std::string_view value);
absl::StatusOr<FunctionRow> DecodeFunction(std::string_view value);
absl::StatusOr<HeaderRow> DecodeHeader(std::string_view value);
absl::StatusOr<std::string> DecodeName(std::string_view value);

}  // namespace muster::rows
