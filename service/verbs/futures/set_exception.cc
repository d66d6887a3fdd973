#include <utility>

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/futures/settle.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"

namespace muster::verbs {

coro::Task<absl::Status> SetException(Rpc& rpc, pb::SetExceptionRequest& request, pb::SetExceptionResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  if (!request.has_error()) {
    co_return wire::RefuseField(base::Reason::kInvalidField, wire::Path("error"), "is missing; say what went wrong");
  }
  MUSTER_CO_ASSIGN_OR_RETURN(values::OutcomeRef outcome,
                             wire::ToFailure(*request.mutable_error(), entry.limits, wire::Path("error")));
  MUSTER_CO_ASSIGN_OR_RETURN(
      const pb::FutureState state,
      co_await Settle(rpc, entry, request.id(), *request.mutable_request_id(), std::move(outcome)));
  response.set_state(state);
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
