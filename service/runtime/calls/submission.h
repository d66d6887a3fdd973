// Submitting: which shard a new future goes to, and the answer.
#pragma once

#include "absl/status/statusor.h"

#include "service/core/door/command.h"
#include "service/coro/task.h"
#include "service/runtime/host/router.h"
#include "service/runtime/service.h"

namespace muster::runtime {

// With a request id the shard follows from it, so that a repetition finds the first. A combinator goes where its first
// member is. All else stays on the caller's loop.
values::ShardIndex PlaceFor(const Router& router, const core::Submit& command);

// Admits, places, sends and awaits the answer.
coro::Task<absl::StatusOr<SubmitAnswer>> SubmitOn(Router router, core::Submit command);

}  // namespace muster::runtime
