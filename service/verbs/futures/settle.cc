#include "service/verbs/futures/settle.h"

#include <utility>

#include "service/base/status.h"
#include "service/wire/convert.h"

namespace muster::verbs {
namespace {

constexpr size_t kRequestIdMax = 128;

}  // namespace

coro::Task<absl::StatusOr<pb::FutureState>> Settle(Rpc& rpc, const Entry& entry, const std::string& id,
                                                   std::string& request_id, values::OutcomeRef outcome) {
  core::SettlePromise command;
  command.ns = entry.ns.id;
  MUSTER_CO_ASSIGN_OR_RETURN(command.id, wire::ToId(id, wire::Path("id")));
  MUSTER_CO_RETURN_IF_ERROR(wire::CheckText(request_id, kRequestIdMax, wire::Path("request_id")));
  command.request_id = std::move(request_id);
  command.outcome = std::move(outcome);
  MUSTER_CO_ASSIGN_OR_RETURN(const values::State state, co_await rpc.service.SettlePromise(std::move(command)));
  co_return wire::FromState(state);
}

}  // namespace muster::verbs
