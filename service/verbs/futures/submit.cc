#include <utility>

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"

namespace muster::verbs {

coro::Task<absl::Status> Submit(Rpc& rpc, pb::SubmitRequest& request, pb::SubmitResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  const wire::SubmitContext context = SubmitContextOf(rpc, entry.ns);
  MUSTER_CO_ASSIGN_OR_RETURN(wire::Submission submission,
                             wire::ToSubmit(context, *request.mutable_future(), nullptr, wire::Path("future")));
  MUSTER_CO_ASSIGN_OR_RETURN(const runtime::SubmitAnswer answer,
                             co_await rpc.service.Submit(std::move(submission.command)));
  response.set_id(answer.id.ToText());
  response.set_state(wire::FromState(answer.state));
  response.set_deduplicated(answer.deduplicated);
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
