#include "service/runtime/store.h"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/rows/rows.h"

namespace muster::runtime {
namespace {

absl::Status CheckHeader(store::Journal& journal, const StoreOptions& options, Store& store) {
  std::string key;
  rows::HeaderKey(key);
  MUSTER_ASSIGN_OR_RETURN(const std::optional<std::string> row, journal.Get(key));
  store.shards = options.shards;
  if (!row.has_value()) {
    bool empty = true;
    MUSTER_RETURN_IF_ERROR(journal.Scan("", [&](std::string_view, std::string_view) {
      empty = false;
      return absl::OkStatus();
    }));
    if (!empty) return absl::DataLossError("the store has rows and no header: restore a backup");
    store.fresh = true;
    return absl::OkStatus();
  }
  MUSTER_ASSIGN_OR_RETURN(const rows::HeaderRow header, rows::DecodeHeader(*row));
  if (header.schema > rows::kSchemaVersion) {
    return absl::FailedPreconditionError(fmt::format(
        "the store was written by musterd {}, whose layout has version {}; this one reads up to {}: start a "
        "server at least as new",
        header.written_by, header.schema, rows::kSchemaVersion));
  }
  if (header.shards == 0 || header.shards > 1024) {
    return absl::DataLossError(
        fmt::format("the store says that it has {} shards; 1 to 1024 are possible", header.shards));
  }
  store.shards = static_cast<values::ShardIndex>(header.shards);
  return absl::OkStatus();
}

absl::Status ReadNamespaces(store::Journal& journal, Store& store) {
  const std::string prefix(1, static_cast<char>(rows::Table::kNamespace));
  return journal.Scan(prefix, [&](std::string_view key, std::string_view value) {
    MUSTER_ASSIGN_OR_RETURN(const rows::Key parsed, rows::ParseKey(key));
    MUSTER_ASSIGN_OR_RETURN(std::string name, rows::DecodeName(value));
    store.namespaces.emplace_back(parsed.number, std::move(name));
    return absl::OkStatus();
  });
}

using FunctionRows = std::map<values::FunctionId, rows::FunctionRow>;

absl::StatusOr<FunctionRows> ReadFunctions(store::Journal& journal) {
  FunctionRows functions;
  const std::string prefix(1, static_cast<char>(rows::Table::kFunction));
  MUSTER_RETURN_IF_ERROR(journal.Scan(prefix, [&](std::string_view key, std::string_view value) {
    MUSTER_ASSIGN_OR_RETURN(const rows::Key parsed, rows::ParseKey(key));
    if (parsed.number >= dispatch::Directory::kFunctionsMax) {
      return absl::DataLossError("a function's number is out of range");
    }
    MUSTER_ASSIGN_OR_RETURN(functions[parsed.number], rows::DecodeFunction(value));
    return absl::OkStatus();
  }));
  return functions;
}

// Gives each registered function that `rows` lacks the first number that is free behind all, as a row of `batch`. The
// numbers follow from what the journal holds and from nothing else, and the rows are taken by compare and set: they
// were read under the epoch that `batch` is appended under, so nobody else can have written one in between.
void ClaimNumbers(const jobs::Registry& registry, FunctionRows& rows, store::Batch& batch) {
  std::set<std::string_view> named;
  for (const auto& [number, row] : rows) named.insert(row.name);
  values::FunctionId next = rows.empty() ? 0 : rows.rbegin()->first + 1;
  std::string key, value;
  for (const auto& function : registry.functions()) {
    if (named.contains(function->name)) continue;
    rows::FunctionRow& row = rows[next];
    row = rows::FunctionRow{function->name, function->kind};
    rows::FunctionKey(next++, key);
    value.clear();
    rows::Encode(row, value);
    batch.Put(key, value);
  }
}

// What is registered decides of what kind a function is, whatever it was before.
absl::Status FillDirectory(const FunctionRows& rows, const jobs::Registry& registry, dispatch::Directory& directory) {
  for (const auto& [number, row] : rows) {
    const jobs::Function* registered = registry.Find(row.name);
    const absl::Status known = directory.Know(number, row.name, registered != nullptr ? registered->kind : row.kind);
    if (absl::IsAlreadyExists(known)) {
      return absl::DataLossError(fmt::format("the store knows function \"{}\" by two numbers", row.name));
    }
    MUSTER_RETURN_IF_ERROR(known);
    if (registered == nullptr) continue;
    MUSTER_RETURN_IF_ERROR(directory.Serve(*registered));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Store> OpenStore(store::Journal& journal, const jobs::Registry& registry, dispatch::Directory& directory,
                                const StoreOptions& options) {
  Store store(journal);
  MUSTER_RETURN_IF_ERROR(CheckHeader(journal, options, store));
  MUSTER_ASSIGN_OR_RETURN(store.epoch, journal.TakeOver(options.epoch_at_least));
  MUSTER_RETURN_IF_ERROR(ReadNamespaces(journal, store));
  MUSTER_ASSIGN_OR_RETURN(FunctionRows functions, ReadFunctions(journal));

  store::Batch batch;
  ClaimNumbers(registry, functions, batch);
  if (options.fail_unknown_functions) directory.FailUnserved();
  MUSTER_RETURN_IF_ERROR(FillDirectory(functions, registry, directory));

  std::string key, value;
  rows::HeaderRow header;
  header.shards = store.shards;
  header.written_by = options.version;
  rows::HeaderKey(key);
  rows::Encode(header, value);
  batch.Put(key, value);
  const store::Batch* const batches[] = {&batch};
  MUSTER_RETURN_IF_ERROR(journal.Append(store.epoch, batches));
  return store;
}

}  // namespace muster::runtime
