// The one place where answers become text: JSON whose shape is documented (docs/reference/cli.md) and never cut, and
// tables for people, which are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "absl/status/statusor.h"

#include "client/cli/terminal.h"
#include "muster/client.h"

namespace muster::cli {

using Json = nlohmann::ordered_json;

// "succeeded", "first_completed", "already_done": enum values without prefix, in lower case.
std::string NameOf(v1::FutureState state);
std::string NameOf(v1::ErrorKind kind);
std::string NameOf(v1::CancelEffect effect);
std::string NameOf(v1::Durability durability);
std::string NameOf(v1::FunctionKind kind);

// JSON text to a payload, with the place where it is wrong.
absl::StatusOr<Json> ParseJson(std::string_view text);
client::Payload ToPayload(const Json& json);

// JSON and text as themselves, bytes as {"base64", "content_type"}.
Json ToJson(const client::Payload& payload);
Json ToJson(const client::Error& error);
// {"value"} | {"error"} | {"cancelled"} | {"results"}.
Json ToJson(const client::Outcome& outcome);
Json ToJson(const client::Completion& completion);
Json ToJson(const client::FutureInfo& future);
Json ToJson(const client::WaitResult& result);
Json ToJson(const client::GatherResult& result);
Json ToJson(const v1::Function& function);
Json ToJson(const v1::GetServerInfoResponse& info);
// {"code", "reason", "message"} of a refused RPC or item.
Json ToJson(const absl::Status& status);

// One line, whatever is in it.
std::string Dump(const Json& json);
// Indented.
std::string DumpPretty(const Json& json);

// An outcome in a line for a table.
std::string Brief(const client::Outcome& outcome, bool omitted = false);
// "ValueError: no such page" and the like.
std::string Brief(const client::Error& error);
Colour ColourOf(v1::FutureState state);

struct Cell {
  std::string text;
  Colour colour = Colour::kNone;
};

// Columns as wide as their widest cell, the last one cut to the terminal.
class Table {
 public:
  explicit Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}
  void Add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  std::string Text(const Terminal& terminal) const;

 private:
  std::vector<std::string> headers_;
  std::vector<std::vector<Cell>> rows_;
};

// "name: value" lines.
std::string Fields(const Terminal& terminal, const std::vector<std::pair<std::string, Cell>>& fields);

// The blocks of `muster get`, `functions NAME` and `info`.
std::string Describe(const Terminal& terminal, const client::FutureInfo& future);
std::string Describe(const Terminal& terminal, const v1::Function& function);
std::string Describe(const Terminal& terminal, const v1::GetServerInfoResponse& info);

// Time since `from` until `to` (the present if it is absent); empty without `from`.
std::string Elapsed(const google::protobuf::Timestamp* from, const google::protobuf::Timestamp* to, base::Instant now);

}  // namespace muster::cli
