#include <utility>

#include "service/api/convert.h"
#include "service/api/handlers.h"
#include "service/base/status.h"

namespace muster::api {
namespace {

constexpr size_t kRequestIdMax = 128;

coro::Task<absl::StatusOr<pb::FutureState>> Settle(Rpc& rpc, const std::string& name_space, const std::string& id,
                                                   std::string& request_id, core::OutcomeRef outcome) {
  MUSTER_CO_ASSIGN_OR_RETURN(const runtime::Namespace ns, rpc.OpenNamespace(name_space));
  core::SettlePromise command;
  command.ns = ns.id;
  MUSTER_CO_ASSIGN_OR_RETURN(command.id, ToId(id, Path("id")));
  MUSTER_CO_RETURN_IF_ERROR(CheckText(request_id, kRequestIdMax, Path("request_id")));
  command.request_id = std::move(request_id);
  command.outcome = std::move(outcome);
  MUSTER_CO_ASSIGN_OR_RETURN(const core::State state, co_await rpc.service.SettlePromise(std::move(command)));
  co_return FromState(state);
}

}  // namespace

coro::Task<absl::Status> CreatePromise(Rpc& rpc, pb::CreatePromiseRequest& request,
                                       pb::CreatePromiseResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const runtime::Namespace ns, rpc.OpenNamespace(request.namespace_()));
  const SubmitContext context(rpc.limits(), rpc.service.registry(), rpc.shared.info.durability, ns);
  MUSTER_CO_ASSIGN_OR_RETURN(core::Submit command, ToPromise(context, *request.mutable_options(), Path("options")));
  MUSTER_CO_ASSIGN_OR_RETURN(const runtime::SubmitAnswer answer, co_await rpc.service.Submit(std::move(command)));
  response.set_id(answer.id.ToText());
  response.set_deduplicated(answer.deduplicated);
  co_return absl::OkStatus();
}

coro::Task<absl::Status> SetResult(Rpc& rpc, pb::SetResultRequest& request, pb::SetResultResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(core::Payload value, ToPayload(*request.mutable_value(), rpc.limits(), Path("value")));
  core::OutcomeRef outcome = core::Outcome::Value(std::move(value));
  MUSTER_CO_ASSIGN_OR_RETURN(
      const pb::FutureState state,
      co_await Settle(rpc, request.namespace_(), request.id(), *request.mutable_request_id(), std::move(outcome)));
  response.set_state(state);
  co_return absl::OkStatus();
}

coro::Task<absl::Status> SetException(Rpc& rpc, pb::SetExceptionRequest& request, pb::SetExceptionResponse& response) {
  if (!request.has_error()) {
    co_return RefuseField(base::Reason::kInvalidField, Path("error"), "is missing; say what went wrong");
  }
  MUSTER_CO_ASSIGN_OR_RETURN(core::OutcomeRef outcome,
                             ToFailure(*request.mutable_error(), rpc.limits(), Path("error")));
  MUSTER_CO_ASSIGN_OR_RETURN(
      const pb::FutureState state,
      co_await Settle(rpc, request.namespace_(), request.id(), *request.mutable_request_id(), std::move(outcome)));
  response.set_state(state);
  co_return absl::OkStatus();
}

}  // namespace muster::api
