// What SetResult and SetException have in common.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "muster/v1/future_service.pb.h"
#include "service/coro/task.h"
#include "service/values/outcome.h"
#include "service/verbs/entry.h"

namespace muster::verbs {

// Gives the promise its outcome, or finds that the same request has; the state that it has then. Takes the request id.
// All that is referred to lives until it has returned.
coro::Task<absl::StatusOr<pb::FutureState>> Settle(Rpc& rpc, const Entry& entry, const std::string& id,
                                                   std::string& request_id, values::OutcomeRef outcome);

}  // namespace muster::verbs
