// The store of a server: the journal, what it says of itself, and the numbers that functions and namespaces have in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "service/dispatch/directory.h"
#include "service/jobs/registry.h"
#include "service/store/journal.h"
#include "service/values/id.h"

namespace muster::runtime {

struct Store {
  explicit Store(store::Journal& j) : journal(&j) {}

  store::Journal* journal;        // never null; outlives it
  uint32_t epoch = 0;             // of this run of the server; its futures' incarnation
  values::ShardIndex shards = 0;  // fixed when the store was made
  std::vector<std::pair<values::NamespaceId, std::string>> namespaces;
  bool fresh = false;  // it was made just now
};

struct StoreOptions {
  values::ShardIndex shards = 64;  // of a new store; one that exists keeps its own
  uint32_t epoch_at_least = 1;
  std::string version;  // of this server, for whoever reads the store
  // Jobs of functions that this server does not have fail when they would run, instead of waiting until it has them.
  bool fail_unknown_functions = false;
};

// Checks that this server can read what the journal holds, and takes it over. `directory`, empty before, knows all
// functions afterwards that the journal names, by their numbers there, and serves what is registered; a function that
// the journal does not know yet takes a number in it. FAILED_PRECONDITION: a newer version wrote it; DATA_LOSS.
absl::StatusOr<Store> OpenStore(store::Journal& journal, const jobs::Registry& registry, dispatch::Directory& directory,
                                const StoreOptions& options);

}  // namespace muster::runtime
