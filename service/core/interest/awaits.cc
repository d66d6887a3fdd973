#include "service/core/interest/awaits.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "service/base/reason.h"
#include "service/core/completion.h"
#include "service/core/interest/remote.h"
#include "service/core/kinds/cancel.h"
#include "service/core/kinds/job.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

void EndAwait(Turn& turn, AwaitLink& await, Completion completion) {
  AwaitEnded ended;
  ended.token = await.token;
  ended.job = turn.futures.IdOf(*await.job);
  ended.completion = std::move(completion);
  ended.met_cancel = await.met_cancel;
  turn.Emit(std::move(ended));
  DropAwait(turn, await);
}

// The job goes on with what a cancel made of its target. Should that cancel be on its way to the job as well, through
// other shards, it has been here: CPython would have passed it on to the target and only counted it.
void MetWalk(Future& job, uint64_t walk) {
  if (walk != 0) job.cancel_walk = walk;
}

// `missed`: a cancel was passed on, but too late to take. As with Task.cancel() the body then sees its own cancellation
// instead of what the target came to.
void EndAwaitUnless(Turn& turn, AwaitLink& await, Completion completion, bool missed) {
  if (await.must_cancel || missed) return EndAwaitCancelled(turn, await, std::string(await.cancel_message));
  EndAwait(turn, await, std::move(completion));
}

// The target is not done: it takes the cancel that its job had pending.
void PassPendingCancel(Turn& turn, AwaitLink& await) {
  if (!await.pending_cancel) return;
  await.met_cancel = true;
  await.cancel_message = *std::exchange(await.pending_cancel, std::nullopt);
  const std::string message = await.cancel_message;  // whatever becomes of the await
  if (await.member == nullptr) {
    const CancelWalk walk{message, turn.walks.Next(turn.options.index)};
    SendCancel(turn, walk, *await.job, await.count, await.target, await.remote, 1);
  } else if (CancelFuture(turn, *await.member, message)) {
    await.cancels_passed = 1;
  } else {
    await.must_cancel = true;
  }
}

// Null, and `refusal` says why, unless the target may be there.
absl::Status CheckTarget(Turn& turn, const core::Await& command, const Future& job, Future*& target) {
  if (turn.futures.IsHere(command.target)) {
    target = turn.futures.Find(command.ns, command.target);
    return target == nullptr ? turn.futures.RefuseMissing(command.ns, command.target) : absl::OkStatus();
  }
  if (turn.futures.MayBeElsewhere(command.target, job.ns_tag)) return absl::OkStatus();
  Missing missing;
  missing.Add(command.target, base::Reason::kFutureNotFound);
  return missing.Refusal();
}

}  // namespace

void Apply(Turn& turn, const core::Await& command) {
  Future* job = FindJob(turn, command.job, command.attempt);
  if (job == nullptr || job->ns != command.ns) {
    return RefuseAwait(turn, command,
                       base::Refuse(base::Reason::kFutureNotFound,
                                    fmt::format("the awaiting job {} is not running", command.job.ToText())));
  }
  if (command.job == command.target) {
    return RefuseAwait(turn, command, base::Refuse(base::Reason::kSelfAwait, "a job cannot await itself", "target"));
  }
  if (job->open_await() != nullptr) {
    return RefuseAwait(turn, command,
                       base::Refuse(base::Reason::kInvalidField,
                                    "a job awaits one future at a time: gather them, or await one by one", "target"));
  }
  if (job->state == State::kQueued) RunJob(turn, *job);  // its body runs: it has just asked
  Future* target = nullptr;
  if (absl::Status refusal = CheckTarget(turn, command, *job, target); !refusal.ok()) {
    return RefuseAwait(turn, command, std::move(refusal));
  }
  if (target != nullptr && target->done()) {
    AwaitEnded ended;
    ended.token = command.token;
    ended.job = command.job;
    ended.completion = CompletionOf(turn, *target, true);
    return turn.Emit(std::move(ended));
  }
  Cold& cold = ColdOf(*job);
  if (!cold.await) cold.await = std::make_unique<AwaitLink>();
  AwaitLink& await = *cold.await;
  await.job = job;
  await.token = command.token;
  await.open = true;
  ++await.count;
  await.target = command.target;
  await.must_cancel = false;
  await.cancels_passed = 0;
  await.cancel_message.clear();
  await.remote = Remote();
  await.pending_cancel = command.pending_cancel;
  await.met_cancel = false;
  turn.interest.open.Add(command.token, AwaitOf{job});
  if (target != nullptr) {
    turn.interest.links.Connect(await, *target);
    return PassPendingCancel(turn, await);
  }
  turn.interest.links.OpenRemote(await.remote);
  SubscribeTo(turn, command.target, *job, await.count, /*relink=*/false);
}

void RefuseAwait(Turn& turn, const core::Await& command, absl::Status refusal) {
  AwaitEnded ended;
  ended.token = command.token;
  ended.job = command.job;
  ended.refusal = std::move(refusal);
  turn.Emit(std::move(ended));
}

void AwaitTargetDone(Turn& turn, AwaitLink& await) {
  Future& target = *await.member;
  const bool missed = await.cancels_passed > 0 && target.cancel_missed;
  MetWalk(*await.job, target.cancel_missed ? 0 : target.cancel_walk);
  EndAwaitUnless(turn, await, CompletionOf(turn, target, true), missed);
}

void OnAwaitSubscribed(Turn& turn, AwaitLink& await, Subscribed& message) {
  await.remote.subscribed = true;
  if (!message.refusal && IsDone(message.target.state)) return OnAwaitSettled(turn, await, message.target);
  if (!message.refusal) return PassPendingCancel(turn, await);
  Missing missing;
  missing.Add(await.target, *message.refusal);
  AwaitEnded ended;
  ended.token = await.token;
  ended.job = turn.futures.IdOf(*await.job);
  ended.refusal = missing.Refusal();
  const bool cancelled = await.remote.cancels_sent > 0;
  const std::string cancel_message = std::move(await.cancel_message);
  turn.interest.links.CloseRemote(await.remote);  // there is nothing to unsubscribe from
  DropAwait(turn, await);
  turn.Emit(std::move(ended));
  if (cancelled) CancelBody(turn, *await.job, cancel_message, false);
}

void OnAwaitSettled(Turn& turn, AwaitLink& await, TargetState& target) {
  await.remote.subscribed = true;
  if (!IsDone(target.state)) return;
  Completion completion;
  completion.id = await.target;
  completion.state = target.state;
  completion.outcome = std::move(target.outcome);
  const bool missed = CancelsTaken(await.remote, target) < await.remote.cancels_sent;
  MetWalk(*await.job, target.cancel_walk);
  EndAwaitUnless(turn, await, std::move(completion), missed);
}

void EndAwaitCancelled(Turn& turn, AwaitLink& await, const std::string& message) {
  Completion completion;
  completion.id = await.target;
  completion.state = State::kCancelled;
  completion.outcome = Outcome::Cancelled(message);
  EndAwait(turn, await, std::move(completion));
}

void CloseAwait(Turn& turn, Future& job) {
  if (AwaitLink* await = job.open_await()) EndAwaitCancelled(turn, *await, "the job has ended");
}

void DropAwait(Turn& turn, AwaitLink& await) {
  turn.interest.open.Erase(await.token);
  await.open = false;
  turn.interest.links.Release(await, turn.doomed);
  if (!await.remote.in_use) return;
  turn.interest.links.CloseRemote(await.remote);
  await.remote = Remote();
  UnsubscribeFrom(turn, await.target, *await.job, await.count);
}

}  // namespace muster::core
