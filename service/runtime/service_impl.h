// Service's inside, shared by the files that implement its verbs.
#pragma once

#include <utility>
#include <vector>

#include "service/runtime/service.h"
#include "service/runtime/shard_runner.h"
#include "service/runtime/shared.h"

namespace muster::runtime {

class Service::Impl {
 public:
  Impl(const Options& options, dispatch::Directory& directory, const std::vector<executor::Loop*>& loops,
       executor::BlockingPool& pool, const base::Clock& clock, Observer& observer);

  void OpenJournal();
  // The runner of the loop that the caller is on.
  ShardRunner& Here();
  absl::Status Refused(base::Reason reason, const std::string& message, std::string_view field = {});
  // Ids of a set: those given, or the group's. EMPTY_SET for neither, both or an empty group; SET_TOO_LARGE.
  coro::Task<absl::StatusOr<std::vector<values::FutureId>>> Resolve(values::NamespaceId ns, core::FutureSet set);

  Shared shared;
};

}  // namespace muster::runtime
