#include <algorithm>
#include <vector>

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/verbs/page.h"
#include "service/wire/convert.h"

namespace muster::verbs {

coro::Task<absl::Status> ListFunctions(Rpc& rpc, pb::ListFunctionsRequest& request,
                                       pb::ListFunctionsResponse& response) {
  const ServerEntry entry = Enter(rpc);
  MUSTER_CO_ASSIGN_OR_RETURN(uint32_t left, PageSize(request.page_size()));
  const std::vector<const jobs::Function*> functions = rpc.service.directory().Sorted();
  // A page token is the name of the last function before the page.
  auto next = functions.begin();
  if (!request.page_token().empty()) {
    next = std::find_if(next, functions.end(), [&](const auto* each) { return each->name == request.page_token(); });
    if (next == functions.end()) {
      co_return wire::RefuseField(base::Reason::kInvalidPageToken, wire::Path("page_token"),
                                  "was not handed out by this server; start again without one");
    }
    ++next;
  }
  uint64_t bytes_left = entry.limits.message_bytes_max;
  for (; left > 0; --left) {
    if (next == functions.end()) co_return absl::OkStatus();
    pb::Function& out = *response.add_functions();
    out.set_name((*next)->name);
    out.set_kind(wire::FromFunctionKind((*next)->kind));
    out.set_description((*next)->description);
    wire::FromPayload((*next)->input_example, 2, *out.mutable_input_example());
    const uint64_t bytes = out.ByteSizeLong() + 16;
    if (bytes > bytes_left && response.functions_size() > 1) {
      response.mutable_functions()->RemoveLast();
      break;
    }
    bytes_left -= std::min(bytes_left, bytes);
    ++next;
  }
  if (next != functions.end()) response.set_next_page_token((*std::prev(next))->name);
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
