#include <utility>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/verbs/page.h"
#include "service/wire/convert.h"

namespace muster::verbs {
namespace {

absl::StatusOr<uint32_t> ToStateMask(const pb::ListRequest& request) {
  uint32_t mask = 0;
  for (int index = 0; index < request.states_size(); ++index) {
    const int state = request.states(index);
    // The wire's states stand one above the core's.
    if (state < pb::FUTURE_STATE_PENDING || state > pb::FUTURE_STATE_CANCELLED) {
      return wire::RefuseField(base::Reason::kInvalidField, wire::Path("states", index),
                               fmt::format("{} is no state that a future can be listed by", state));
    }
    mask |= 1u << (state - pb::FUTURE_STATE_PENDING);
  }
  return mask;
}
static_assert(static_cast<int>(values::State::kPending) == pb::FUTURE_STATE_PENDING - 1);
static_assert(static_cast<int>(values::State::kCancelled) == pb::FUTURE_STATE_CANCELLED - 1);

absl::StatusOr<core::ListFutures> ToQuery(const Rpc& rpc, values::Namespace ns, const pb::ListRequest& request) {
  core::ListFutures query;
  query.ns = ns.id;
  MUSTER_ASSIGN_OR_RETURN(query.state_mask, ToStateMask(request));
  if (!request.function().empty()) {
    const jobs::Function* function = rpc.service.directory().Find(request.function());
    if (function == nullptr) {
      MUSTER_RETURN_IF_ERROR(wire::CheckText(request.function(), 128, wire::Path("function")));
      return wire::RefuseField(
          base::Reason::kUnknownFunction, wire::Path("function"),
          fmt::format("no function is called \"{}\"; ListFunctions tells which there are", request.function()));
    }
    query.function = function->id;
  }
  MUSTER_RETURN_IF_ERROR(wire::CheckText(request.group(), 255, wire::Path("group")));
  query.group = request.group();
  if (request.labels_size() > 32) {
    return wire::RefuseField(base::Reason::kInvalidField, wire::Path("labels"),
                             fmt::format("{} labels; a future has at most 32", request.labels_size()));
  }
  query.labels.insert(request.labels().begin(), request.labels().end());
  MUSTER_ASSIGN_OR_RETURN(query.max, PageSize(request.page_size()));
  return query;
}

}  // namespace

coro::Task<absl::Status> List(Rpc& rpc, pb::ListRequest& request, pb::ListResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  MUSTER_CO_ASSIGN_OR_RETURN(core::ListFutures query, ToQuery(rpc, entry.ns, request));
  // A page's token stands for its end, so a page that does not fit into a message is asked for again, smaller.
  for (;; query.max = query.max / 2) {
    MUSTER_CO_ASSIGN_OR_RETURN(runtime::ListAnswer answer, co_await rpc.service.List(query, request.page_token()));
    response.Clear();
    response.mutable_futures()->Reserve(static_cast<int>(answer.futures.size()));
    for (core::FutureView& view : answer.futures) {
      wire::Room room(0, 2);
      view.outcome = nullptr;
      wire::FromView(view, rpc.name_space, rpc.service.directory(), rpc.shared.info.durability, room,
                     *response.add_futures());
    }
    response.set_next_page_token(std::move(answer.next_page_token));
    if (response.ByteSizeLong() <= entry.limits.message_bytes_max || query.max == 1) break;
  }
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
