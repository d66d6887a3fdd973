// A running body awaits a future: one at a time, as a task of asyncio does.
#pragma once

#include <string>

#include "absl/status/status.h"

#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/core/door/message.h"
#include "service/core/futures/future.h"

namespace muster::core {

struct Turn;

void Apply(Turn& turn, const core::Await& command);
void RefuseAwait(Turn& turn, const core::Await& command, absl::Status refusal);
// The target, which lives in this shard, is done.
void AwaitTargetDone(Turn& turn, AwaitLink& await);
// What the target's shard says of it.
void OnAwaitSubscribed(Turn& turn, AwaitLink& await, Subscribed& message);
void OnAwaitSettled(Turn& turn, AwaitLink& await, TargetState& target);
// The body sees a cancellation in place of what becomes of the target.
void EndAwaitCancelled(Turn& turn, AwaitLink& await, const std::string& message);
// The job has ended while it awaited: a blocking body's thread may still stand in the call.
void CloseAwait(Turn& turn, Future& job);
// Nobody is told.
void DropAwait(Turn& turn, AwaitLink& await);

}  // namespace muster::core
