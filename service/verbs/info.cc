#include <algorithm>
#include <string>
#include <vector>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/values/bounds.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"

namespace muster::verbs {

coro::Task<absl::Status> GetServerInfo(Rpc& rpc, pb::GetServerInfoRequest&, pb::GetServerInfoResponse& response) {
  const ServerInfo& info = rpc.shared.info;
  response.set_version(info.version);
  response.set_instance_id(info.instance_id);
  response.set_durability(wire::FromDurability(info.durability));
  wire::FromLimits(rpc.limits(), *response.mutable_limits());
  for (const std::string& feature : info.features) response.add_features(feature);
  *response.mutable_time() = wire::FromInstant(rpc.service.clock().Now());
  response.set_manual_clock(std::find(info.features.begin(), info.features.end(), "manual_clock") !=
                            info.features.end());
  co_return absl::OkStatus();
}

coro::Task<absl::Status> ListFunctions(Rpc& rpc, pb::ListFunctionsRequest& request,
                                       pb::ListFunctionsResponse& response) {
  if (request.page_size() > values::kPageMax) {
    co_return wire::RefuseField(base::Reason::kInvalidField, wire::Path("page_size"),
                                fmt::format("{} is over the limit; ask for at most {} and follow next_page_token",
                                            request.page_size(), values::kPageMax));
  }
  const std::vector<const jobs::Function*> functions = rpc.service.registry().Sorted();
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
  uint64_t bytes_left = rpc.limits().message_bytes_max;
  for (uint32_t left = request.page_size() == 0 ? values::kPageDefault : request.page_size(); left > 0; --left) {
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
