// Submitting: which shard a new future goes to, whether there is room for it, and the answer.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/core/door/command.h"
#include "service/coro/task.h"
#include "service/runtime/service.h"
#include "service/runtime/shard_runner.h"
#include "service/runtime/shared.h"

namespace muster::runtime {

// The shard an id names; an id of a shard that does not exist goes to one that will say so.
inline values::ShardIndex TargetShard(const Shared& shared, const values::FutureId& id) {
  return static_cast<values::ShardIndex>(id.shard % shared.options.shards);
}

// With a request id the shard follows from it, so that a repetition finds the first. A combinator goes where its first
// member is. All else stays on the caller's loop.
values::ShardIndex PlaceFor(ShardRunner& home, const core::Submit& command);

// Whether the service has room for it: DRAINING, TOO_MANY_FUTURES, TOO_MANY_BYTES, TOO_MANY_REQUEST_IDS, QUEUE_FULL.
// One with a request id is let through with the refusal beside it: the shard knows whether it is a repetition.
absl::Status Admit(Shared& shared, core::Submit& command);
// Counts a refusal that came from a shard.
void CountRefused(Shared& shared, const absl::Status& refusal);

// Admits, places, sends and awaits the answer. `command.token` is set here.
coro::Task<absl::StatusOr<SubmitAnswer>> SubmitOn(ShardRunner& home, core::Submit command);

}  // namespace muster::runtime
