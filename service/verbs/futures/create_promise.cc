#include <utility>

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"

namespace muster::verbs {

coro::Task<absl::Status> CreatePromise(Rpc& rpc, pb::CreatePromiseRequest& request,
                                       pb::CreatePromiseResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  const wire::SubmitContext context = SubmitContextOf(rpc, entry.ns);
  MUSTER_CO_ASSIGN_OR_RETURN(core::Submit command,
                             wire::ToPromise(context, *request.mutable_options(), wire::Path("options")));
  MUSTER_CO_ASSIGN_OR_RETURN(const runtime::SubmitAnswer answer, co_await rpc.service.Submit(std::move(command)));
  response.set_id(answer.id.ToText());
  response.set_deduplicated(answer.deduplicated);
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
