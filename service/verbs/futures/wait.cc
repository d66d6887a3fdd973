#include <optional>
#include <utility>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"

namespace muster::verbs {
namespace {

// First all states and ids, which must be there, then as many outcomes as fit.
absl::Status Fill(const runtime::WaitAnswer& answer, const values::Limits& limits, pb::WaitResponse& response) {
  response.mutable_done()->Reserve(static_cast<int>(answer.done.size()));
  for (const core::Completion& completion : answer.done) wire::FromCompletion(completion, *response.add_done());
  response.mutable_pending_ids()->Reserve(static_cast<int>(answer.pending.size()));
  for (const values::FutureId& id : answer.pending) response.add_pending_ids(id.ToText());
  response.set_pending_count(static_cast<uint32_t>(answer.pending.size()));
  // Each completion that has an outcome, or says that it was left out, may grow by this much besides.
  constexpr uint64_t kGrowth = 6;
  const uint64_t bytes = response.ByteSizeLong() + kGrowth * answer.done.size();
  if (bytes > limits.message_bytes_max) {
    return wire::RefuseField(
        base::Reason::kSetTooLarge, wire::Path("set"),
        fmt::format("the answer of {} bytes would pass the {} that a message may have; wait for fewer", bytes,
                    limits.message_bytes_max));
  }
  wire::Room room(limits.message_bytes_max - bytes, 2);
  for (size_t index = 0; index < answer.done.size(); ++index) {
    wire::AddOutcome(answer.done[index], room, *response.mutable_done(static_cast<int>(index)));
  }
  return absl::OkStatus();
}

}  // namespace

coro::Task<absl::Status> Wait(Rpc& rpc, pb::WaitRequest& request, pb::WaitResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  const values::Limits& limits = entry.limits;
  MUSTER_CO_ASSIGN_OR_RETURN(core::FutureSet set,
                             wire::ToSet(*request.mutable_set(), limits, wire::EmptySet::kRefused, wire::Path("set")));
  MUSTER_CO_ASSIGN_OR_RETURN(const values::ReturnWhen return_when, wire::ToReturnWhen(request.return_when()));
  MUSTER_CO_ASSIGN_OR_RETURN(const bool take_outcomes, wire::ToView(request.view()));
  std::optional<base::Duration> timeout;
  if (request.has_timeout()) {
    MUSTER_CO_ASSIGN_OR_RETURN(
        timeout, wire::ToDuration(request.timeout(), base::Duration::zero(), limits.delay_max, wire::Path("timeout")));
  }
  const bool capped = !timeout.has_value() || *timeout > limits.poll_max;
  const std::optional<base::Duration> poll = capped ? limits.poll_max : *timeout;
  MUSTER_CO_ASSIGN_OR_RETURN(
      const runtime::WaitAnswer answer,
      co_await rpc.service.Wait(entry.ns.id, std::move(set), return_when, poll, take_outcomes, rpc.token));
  const pb::WaitEnd ran_out = capped ? pb::WAIT_END_POLL_AGAIN : pb::WAIT_END_TIMED_OUT;
  response.set_end(answer.timed_out ? ran_out : pb::WAIT_END_SATISFIED);
  co_return Fill(answer, limits, response);
}

}  // namespace muster::verbs
