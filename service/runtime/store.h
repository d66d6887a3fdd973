// The store of a server: the journal, what it says of itself, and the numbers by which it knows functions and
// namespaces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "service/jobs/registry.h"
#include "service/store/journal.h"
#include "service/values/id.h"

namespace muster::runtime {

struct Store {
  explicit Store(store::Journal& j) : journal(&j) {}

  store::Journal* journal;                            // never null; outlives it
  uint32_t epoch = 0;                                 // of this run of the server; its futures' incarnation
  values::ShardIndex shards = 0;                      // fixed when the store was made
  std::vector<values::FunctionId> stored_functions;   // by this run's id: the store's
  std::vector<values::FunctionId> current_functions;  // the reverse; kNoFunction where there is none
  std::vector<std::pair<values::NamespaceId, std::string>> namespaces;
  bool fail_unknown_functions = false;
  bool fresh = false;  // it was made just now

  static constexpr values::FunctionId kNoFunction = 0xffffffff;
};

struct StoreOptions {
  values::ShardIndex shards = 64;  // of a new store; one that exists keeps its own
  uint32_t epoch_at_least = 1;
  std::string version;  // of this server, for whoever reads the store
  // Jobs of functions that this server does not have fail when they would run, instead of keeping it from starting.
  bool fail_unknown_functions = false;
};

// Checks that this server can read what the journal holds, takes it over, and adds to `registry`, as missing, the
// functions that it names and that are not registered. FAILED_PRECONDITION: a newer version wrote it; DATA_LOSS.
absl::StatusOr<Store> OpenStore(store::Journal& journal, jobs::Registry& registry, const StoreOptions& options);

}  // namespace muster::runtime
