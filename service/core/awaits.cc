// A running body awaits a future: one at a time, as a task of asyncio does.
#include <fmt/format.h>

#include "service/base/check.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {

void Shard::Impl::Await(const core::Await& command) {
  Future* job = FindJob(command.job, command.attempt);
  if (job == nullptr || job->ns != command.ns) {
    return RefuseAwait(command, base::Refuse(base::Reason::kFutureNotFound,
                                             fmt::format("the awaiting job {} is not running", command.job.ToText())));
  }
  if (command.job == command.target) {
    return RefuseAwait(command, base::Refuse(base::Reason::kSelfAwait, "a job cannot await itself", "target"));
  }
  if (job->open_await() != nullptr) {
    return RefuseAwait(command,
                       base::Refuse(base::Reason::kInvalidField,
                                    "a job awaits one future at a time: gather them, or await one by one", "target"));
  }
  if (job->state == State::kQueued) Run(*job);  // its body runs: it has just asked
  const bool here = command.target.shard == options_.index;
  Future* target = here ? Find(command.ns, command.target) : nullptr;
  if (here ? target == nullptr
           : command.target.sequence == 0 || command.target.ns_tag != job->ns_tag ||
                 (options_.shards != 0 && command.target.shard >= options_.shards)) {
    const base::Reason why = here ? WhyMissing(command.ns, command.target) : base::Reason::kFutureNotFound;
    return RefuseAwait(command, RefuseMissing({{command.target, static_cast<int>(why)}}, 1));
  }
  if (target != nullptr && target->done()) {
    AwaitEnded ended;
    ended.token = command.token;
    ended.job = command.job;
    ended.completion = CompletionOf(*target, true);
    return Emit(std::move(ended));
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
  Open(command.token, Opened::Kind::kAwait, job);
  if (target != nullptr) return Connect(await, *target);
  await.remote.in_use = true;
  ++links_;
  SubscribeTo(command.target, *job, await.count, /*relink=*/false);
}

void Shard::Impl::RefuseAwait(const core::Await& command, absl::Status refusal) {
  AwaitEnded ended;
  ended.token = command.token;
  ended.job = command.job;
  ended.refusal = std::move(refusal);
  Emit(std::move(ended));
}

// `missed`: a cancel was passed on, but too late to take. As with Task.cancel() the body then sees its own cancellation
// instead of what the target came to.
void Shard::Impl::AwaitTargetDone(AwaitLink& await, Completion completion, bool missed) {
  if (await.must_cancel || missed) return EndAwaitCancelled(await, std::string(await.cancel_message));
  EndAwait(await, std::move(completion));
}

void Shard::Impl::EndAwaitCancelled(AwaitLink& await, const std::string& message) {
  Completion completion;
  completion.id = await.target;
  completion.state = State::kCancelled;
  completion.outcome = Outcome::Cancelled(message);
  EndAwait(await, std::move(completion));
}

void Shard::Impl::EndAwait(AwaitLink& await, Completion completion) {
  AwaitEnded ended;
  ended.token = await.token;
  ended.job = IdOf(*await.job);
  ended.completion = std::move(completion);
  Emit(std::move(ended));
  DropAwait(await);
}

// The job has ended while it awaited: a blocking body's thread may still stand in the call.
void Shard::Impl::CloseAwait(Future& job) {
  if (AwaitLink* await = job.open_await()) EndAwaitCancelled(*await, "the job has ended");
}

void Shard::Impl::DropAwait(AwaitLink& await) {
  open_.erase(await.token);
  await.open = false;
  Release(await);
  if (!await.remote.in_use) return;
  await.remote = Remote();
  --links_;
  UnsubscribeFrom(await.target, IdOf(*await.job), await.count, await.job->ns);
}

}  // namespace muster::core
