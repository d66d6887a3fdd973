#include <utility>

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"

namespace muster::verbs {
namespace {

constexpr size_t kCancelMessageMax = 4096;

}  // namespace

coro::Task<absl::Status> Cancel(Rpc& rpc, pb::CancelRequest& request, pb::CancelResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  MUSTER_CO_ASSIGN_OR_RETURN(core::FutureSet set, wire::ToSet(*request.mutable_set(), entry.limits,
                                                              wire::EmptySet::kRefused, wire::Path("set")));
  MUSTER_CO_RETURN_IF_ERROR(wire::CheckText(request.message(), kCancelMessageMax, wire::Path("message")));
  MUSTER_CO_ASSIGN_OR_RETURN(const auto effects, co_await rpc.service.Cancel(entry.ns.id, std::move(set),
                                                                             std::move(*request.mutable_message())));
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

}  // namespace muster::verbs
