#include <utility>

#include "service/api/convert.h"
#include "service/api/handlers.h"
#include "service/base/status.h"

namespace muster::api {

coro::Task<absl::Status> Call(Rpc& rpc, pb::CallRequest& request, pb::CallResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const runtime::Namespace ns, rpc.OpenNamespace(request.namespace_()));
  SubmitContext context(rpc.limits(), rpc.service.registry(), rpc.shared.info.durability, ns);
  context.attached = true;
  context.default_retention = kAttachedRetention;
  MUSTER_CO_ASSIGN_OR_RETURN(Submission submission,
                             ToSubmit(context, *request.mutable_future(), nullptr, Path("future")));
  MUSTER_CO_ASSIGN_OR_RETURN(
      const core::Completion completion,
      co_await rpc.service.Call(std::move(submission.command), rpc.token, submission.cancel_on_disconnect));
  Room room(rpc.limits().message_bytes_max, 2);
  FromCompletionWithOutcome(completion, room, *response.mutable_completion());
  co_return absl::OkStatus();
}

}  // namespace muster::api
