#include <utility>

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/futures/settle.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"

namespace muster::verbs {

coro::Task<absl::Status> SetResult(Rpc& rpc, pb::SetResultRequest& request, pb::SetResultResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  MUSTER_CO_ASSIGN_OR_RETURN(values::Payload value,
                             wire::ToPayload(*request.mutable_value(), entry.limits, wire::Path("value")));
  values::OutcomeRef outcome = values::Outcome::Value(std::move(value));
  MUSTER_CO_ASSIGN_OR_RETURN(
      const pb::FutureState state,
      co_await Settle(rpc, entry, request.id(), *request.mutable_request_id(), std::move(outcome)));
  response.set_state(state);
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
