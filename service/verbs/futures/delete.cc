#include <utility>

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"
#include "service/wire/status.h"

namespace muster::verbs {
namespace {

constexpr int kFailuresNamedMax = 1000;

}  // namespace

coro::Task<absl::Status> Delete(Rpc& rpc, pb::DeleteRequest& request, pb::DeleteResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  MUSTER_CO_ASSIGN_OR_RETURN(core::FutureSet set, wire::ToSet(*request.mutable_set(), entry.limits,
                                                              wire::EmptySet::kRefused, wire::Path("set")));
  MUSTER_CO_ASSIGN_OR_RETURN(const auto statuses, co_await rpc.service.Delete(entry.ns.id, std::move(set)));
  uint32_t deleted = 0;
  for (const auto& [id, status] : statuses) {
    if (status.ok()) {
      ++deleted;
    } else if (response.failures_size() < kFailuresNamedMax) {
      pb::DeleteResponse::Failure& failure = *response.add_failures();
      failure.set_id(id.ToText());
      wire::ToItemStatus(status, *failure.mutable_status());
    }
  }
  response.set_deleted_count(deleted);
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
