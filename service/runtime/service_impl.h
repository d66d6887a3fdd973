// Service's inside, shared by the files that implement its verbs, a file each family: service_submit.cc,
// service_wait.cc, service_read.cc, service_change.cc. service.cc has its beginning and its end.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/base/reason.h"
#include "service/dispatch/pool_room.h"
#include "service/runtime/admission/admission.h"
#include "service/runtime/admission/namespaces.h"
#include "service/runtime/host/hosts.h"
#include "service/runtime/host/router.h"
#include "service/runtime/service.h"

namespace muster::runtime {

class Service::Impl {
 public:
  Impl(const Options& options, dispatch::Directory& directory, const std::vector<executor::Loop*>& loops,
       executor::BlockingPool& pool, const base::Clock& clock, Observer& observer);

  // From the loop that the caller is on.
  Router Here() const;
  // Ids of a set: those given, or the group's. EMPTY_SET for neither, both or an empty group; SET_TOO_LARGE.
  coro::Task<absl::StatusOr<std::vector<values::FutureId>>> Resolve(values::NamespaceId ns, core::FutureSet set);

  const Options options;
  dispatch::Directory& directory;
  dispatch::PoolRoom pool_room;
  const base::Clock& clock;
  Observer& observer;
  Namespaces namespaces;
  Admission admission;
  std::unique_ptr<Committer> committer;  // with a store
  Hosts hosts;
  // Stored (release) by whoever has restored the shards, loaded (acquire) by the loops before they touch one.
  std::atomic<bool> recovering;

 private:
  void OpenJournal();
  core::ShardOptions EachShard() const;
  coro::Task<absl::StatusOr<std::vector<values::FutureId>>> GroupMembers(values::NamespaceId ns, std::string group);
};

}  // namespace muster::runtime
