#include <utility>

#include "service/base/status.h"
#include "service/values/bounds.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"

namespace muster::verbs {
namespace {

coro::Task<absl::StatusOr<pb::FutureState>> Settle(Rpc& rpc, const std::string& name_space, const std::string& id,
                                                   std::string& request_id, values::OutcomeRef outcome) {
  MUSTER_CO_ASSIGN_OR_RETURN(const values::Namespace ns, rpc.OpenNamespace(name_space));
  core::SettlePromise command;
  command.ns = ns.id;
  MUSTER_CO_ASSIGN_OR_RETURN(command.id, wire::ToId(id, wire::Path("id")));
  MUSTER_CO_RETURN_IF_ERROR(wire::CheckText(request_id, values::kRequestIdMax, wire::Path("request_id")));
  command.request_id = std::move(request_id);
  command.outcome = std::move(outcome);
  MUSTER_CO_ASSIGN_OR_RETURN(const values::State state, co_await rpc.service.SettlePromise(std::move(command)));
  co_return wire::FromState(state);
}

}  // namespace

coro::Task<absl::Status> CreatePromise(Rpc& rpc, pb::CreatePromiseRequest& request,
                                       pb::CreatePromiseResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const values::Namespace ns, rpc.OpenNamespace(request.namespace_()));
  const wire::SubmitContext context(rpc.limits(), rpc.service.registry(), rpc.shared.info.durability, ns);
  MUSTER_CO_ASSIGN_OR_RETURN(core::Submit command,
                             wire::ToPromise(context, *request.mutable_options(), wire::Path("options")));
  MUSTER_CO_ASSIGN_OR_RETURN(const runtime::SubmitAnswer answer, co_await rpc.service.Submit(std::move(command)));
  response.set_id(answer.id.ToText());
  response.set_deduplicated(answer.deduplicated);
  co_return absl::OkStatus();
}

coro::Task<absl::Status> SetResult(Rpc& rpc, pb::SetResultRequest& request, pb::SetResultResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(values::Payload value,
                             wire::ToPayload(*request.mutable_value(), rpc.limits(), wire::Path("value")));
  values::OutcomeRef outcome = values::Outcome::Value(std::move(value));
  MUSTER_CO_ASSIGN_OR_RETURN(
      const pb::FutureState state,
      co_await Settle(rpc, request.namespace_(), request.id(), *request.mutable_request_id(), std::move(outcome)));
  response.set_state(state);
  co_return absl::OkStatus();
}

coro::Task<absl::Status> SetException(Rpc& rpc, pb::SetExceptionRequest& request, pb::SetExceptionResponse& response) {
  if (!request.has_error()) {
    co_return wire::RefuseField(base::Reason::kInvalidField, wire::Path("error"), "is missing; say what went wrong");
  }
  MUSTER_CO_ASSIGN_OR_RETURN(values::OutcomeRef outcome,
                             wire::ToFailure(*request.mutable_error(), rpc.limits(), wire::Path("error")));
  MUSTER_CO_ASSIGN_OR_RETURN(
      const pb::FutureState state,
      co_await Settle(rpc, request.namespace_(), request.id(), *request.mutable_request_id(), std::move(outcome)));
  response.set_state(state);
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
