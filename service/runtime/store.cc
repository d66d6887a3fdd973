#include "service/runtime/store.h"

#include <map>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/rows/rows.h"

namespace muster::runtime {
namespace {

constexpr values::FunctionId kFunctionsMax = 100'000;

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

absl::Status ReadNames(store::Journal& journal, Store& store,
                       std::map<values::FunctionId, rows::FunctionRow>& functions) {
  const std::string namespace_prefix(1, static_cast<char>(rows::Table::kNamespace));
  MUSTER_RETURN_IF_ERROR(journal.Scan(namespace_prefix, [&](std::string_view key, std::string_view value) {
    MUSTER_ASSIGN_OR_RETURN(const rows::Key parsed, rows::ParseKey(key));
    MUSTER_ASSIGN_OR_RETURN(std::string name, rows::DecodeName(value));
    store.namespaces.emplace_back(parsed.number, std::move(name));
    return absl::OkStatus();
  }));
  const std::string function_prefix(1, static_cast<char>(rows::Table::kFunction));
  return journal.Scan(function_prefix, [&](std::string_view key, std::string_view value) {
    MUSTER_ASSIGN_OR_RETURN(const rows::Key parsed, rows::ParseKey(key));
    if (parsed.number >= kFunctionsMax) return absl::DataLossError("a function's number is out of range");
    MUSTER_ASSIGN_OR_RETURN(functions[parsed.number], rows::DecodeFunction(value));
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<Store> OpenStore(store::Journal& journal, jobs::Registry& registry, const StoreOptions& options) {
  Store store(journal);
  store.fail_unknown_functions = options.fail_unknown_functions;
  MUSTER_RETURN_IF_ERROR(CheckHeader(journal, options, store));
  std::map<values::FunctionId, rows::FunctionRow> stored;
  MUSTER_RETURN_IF_ERROR(ReadNames(journal, store, stored));

  store::Batch batch;
  std::string key, value;
  values::FunctionId next = stored.empty() ? 0 : stored.rbegin()->first + 1;
  std::map<std::string, values::FunctionId> by_name;
  for (const auto& [number, function] : stored) {
    if (!by_name.emplace(function.name, number).second) {
      return absl::DataLossError(fmt::format("the store knows function \"{}\" by two numbers", function.name));
    }
  }
  const size_t registered = registry.size();
  store.current_functions.resize(next, Store::kNoFunction);
  for (values::FunctionId id = 0; id < registered; ++id) {
    const jobs::Function& function = registry.At(id);
    const auto known = by_name.find(function.name);
    const values::FunctionId number = known != by_name.end() ? known->second : next++;
    if (known == by_name.end()) {
      rows::FunctionKey(number, key);
      value.clear();
      rows::Encode(rows::FunctionRow{function.name, function.kind}, value);
      batch.Put(key, value);
      store.current_functions.push_back(id);
    } else {
      store.current_functions[number] = id;
    }
    store.stored_functions.push_back(number);
  }
  for (const auto& [number, function] : stored) {
    if (store.current_functions[number] != Store::kNoFunction) continue;
    store.current_functions[number] = registry.AddMissing(function.name, function.kind);
    store.stored_functions.push_back(number);
  }

  MUSTER_ASSIGN_OR_RETURN(store.epoch, journal.TakeOver(options.epoch_at_least));
  rows::HeaderRow header;
  header.shards = store.shards;
  header.written_by = options.version;
  rows::HeaderKey(key);
  value.clear();
  rows::Encode(header, value);
  batch.Put(key, value);
  const store::Batch* const batches[] = {&batch};
  MUSTER_RETURN_IF_ERROR(journal.Append(store.epoch, batches));
  return store;
}

}  // namespace muster::runtime
