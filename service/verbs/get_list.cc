#include <utility>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/values/bounds.h"
#include "service/verbs/handlers.h"
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
    const jobs::Function* function = rpc.service.registry().Find(request.function());
    if (function == nullptr) {
      MUSTER_RETURN_IF_ERROR(wire::CheckText(request.function(), values::kFunctionNameMax, wire::Path("function")));
      return wire::RefuseField(
          base::Reason::kUnknownFunction, wire::Path("function"),
          fmt::format("no function is called \"{}\"; ListFunctions tells which there are", request.function()));
    }
    query.function = function->id;
  }
  MUSTER_RETURN_IF_ERROR(wire::CheckText(request.group(), values::kGroupMax, wire::Path("group")));
  query.group = request.group();
  if (request.labels_size() > static_cast<int>(values::kLabelsMax)) {
    return wire::RefuseField(
        base::Reason::kInvalidField, wire::Path("labels"),
        fmt::format("{} labels; a future has at most {}", request.labels_size(), values::kLabelsMax));
  }
  query.labels.insert(request.labels().begin(), request.labels().end());
  if (request.page_size() > values::kPageMax) {
    return wire::RefuseField(base::Reason::kInvalidField, wire::Path("page_size"),
                             fmt::format("{} is over the limit; ask for at most {} and follow next_page_token",
                                         request.page_size(), values::kPageMax));
  }
  query.max = request.page_size() == 0 ? values::kPageDefault : request.page_size();
  return query;
}

}  // namespace

coro::Task<absl::Status> Get(Rpc& rpc, pb::GetRequest& request, pb::GetResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const values::Namespace ns, rpc.OpenNamespace(request.namespace_()));
  MUSTER_CO_ASSIGN_OR_RETURN(const values::FutureId id, wire::ToId(request.id(), wire::Path("id")));
  MUSTER_CO_ASSIGN_OR_RETURN(const bool take_outcome, wire::ToView(request.view()));
  MUSTER_CO_ASSIGN_OR_RETURN(const core::FutureView view, co_await rpc.service.Get(ns.id, id, take_outcome));
  wire::Room room(rpc.limits().message_bytes_max, 2);
  wire::FromView(view, rpc.name_space, rpc.service.registry(), rpc.shared.info.durability, room,
                 *response.mutable_future());
  co_return absl::OkStatus();
}

coro::Task<absl::Status> List(Rpc& rpc, pb::ListRequest& request, pb::ListResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const values::Namespace ns, rpc.OpenNamespace(request.namespace_()));
  MUSTER_CO_ASSIGN_OR_RETURN(core::ListFutures query, ToQuery(rpc, ns, request));
  // A page's token stands for its end, so a page that does not fit into a message is asked for again, smaller.
  for (;; query.max = query.max / 2) {
    MUSTER_CO_ASSIGN_OR_RETURN(runtime::ListAnswer answer, co_await rpc.service.List(query, request.page_token()));
    response.Clear();
    response.mutable_futures()->Reserve(static_cast<int>(answer.futures.size()));
    for (core::FutureView& view : answer.futures) {
      wire::Room room(0, 2);
      view.outcome = nullptr;
      wire::FromView(view, rpc.name_space, rpc.service.registry(), rpc.shared.info.durability, room,
                     *response.add_futures());
    }
    response.set_next_page_token(std::move(answer.next_page_token));
    if (response.ByteSizeLong() <= rpc.limits().message_bytes_max || query.max == 1) break;
  }
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
