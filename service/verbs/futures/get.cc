#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"

namespace muster::verbs {

coro::Task<absl::Status> Get(Rpc& rpc, pb::GetRequest& request, pb::GetResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  MUSTER_CO_ASSIGN_OR_RETURN(const values::FutureId id, wire::ToId(request.id(), wire::Path("id")));
  MUSTER_CO_ASSIGN_OR_RETURN(const bool take_outcome, wire::ToView(request.view()));
  MUSTER_CO_ASSIGN_OR_RETURN(const core::FutureView view, co_await rpc.service.Get(entry.ns.id, id, take_outcome));
  wire::Room room(entry.limits.message_bytes_max, 2);
  wire::FromView(view, rpc.name_space, rpc.service.directory(), rpc.shared.info.durability, room,
                 *response.mutable_future());
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
