#include <utility>
#include <vector>

#include "service/base/status.h"
#include "service/values/bounds.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"
#include "service/wire/status.h"

namespace muster::verbs {
namespace {

constexpr int kFailuresNamedMax = 1000;

}  // namespace

coro::Task<absl::Status> Cancel(Rpc& rpc, pb::CancelRequest& request, pb::CancelResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const values::Namespace ns, rpc.OpenNamespace(request.namespace_()));
  MUSTER_CO_ASSIGN_OR_RETURN(core::FutureSet set, wire::ToSet(*request.mutable_set(), rpc.limits(),
                                                              wire::EmptySet::kRefused, wire::Path("set")));
  MUSTER_CO_RETURN_IF_ERROR(wire::CheckText(request.message(), values::kCancelMessageMax, wire::Path("message")));
  MUSTER_CO_ASSIGN_OR_RETURN(const auto effects,
                             co_await rpc.service.Cancel(ns.id, std::move(set), std::move(*request.mutable_message())));
  uint32_t requested = 0;
  response.mutable_items()->Reserve(static_cast<int>(effects.size()));
  for (const auto& [id, effect] : effects) {
    pb::CancelResponse::Item& item = *response.add_items();
    item.set_id(id.ToText());
    item.set_effect(wire::FromCancelEffect(effect));
    if (effect == core::CancelEffect::kCancelled || effect == core::CancelEffect::kRequested) ++requested;
  }
  response.set_requested_count(requested);
  co_return absl::OkStatus();
}

coro::Task<absl::Status> Delete(Rpc& rpc, pb::DeleteRequest& request, pb::DeleteResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const values::Namespace ns, rpc.OpenNamespace(request.namespace_()));
  MUSTER_CO_ASSIGN_OR_RETURN(core::FutureSet set, wire::ToSet(*request.mutable_set(), rpc.limits(),
                                                              wire::EmptySet::kRefused, wire::Path("set")));
  MUSTER_CO_ASSIGN_OR_RETURN(const auto statuses, co_await rpc.service.Delete(ns.id, std::move(set)));
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
