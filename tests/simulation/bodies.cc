#include <fmt/format.h>

#include "tests/simulation/world.h"

namespace muster::simulation {

using values::State;

void World::OnStartJob(const core::StartJob& start) {
  SIM_EXPECT(bodies_.count(start.id) == 0, "a job was started twice");
  Body& body = bodies_[start.id];
  body.id = start.id;
  body.attempt = start.attempt;
  body.blocking = start.kind == values::FunctionKind::kBlocking;
  const uint64_t count = random_.Below(4);
  for (uint64_t at = 0; at < count; ++at) {
    Op op{Op::Kind::kSleep, SomeTime(5)};
    if (random_.OneIn(3)) op.kind = Op::Kind::kAwait;
    if (random_.OneIn(8)) op.kind = Op::Kind::kProgress;
    if (random_.OneIn(8)) op.kind = Op::Kind::kUncancel;
    body.ops.push_back(op);
  }
  body.policy = static_cast<Policy>(random_.Below(3));
  body.ending = static_cast<int>(random_.Below(3));
  body.quick = count == 0 && random_.OneIn(2);
  At(now_ + SomeTime(2), {Event::Kind::kStart, start.id, 0, "", 0, 0});
}

void World::OnWithdrawJob(const core::WithdrawJob& withdraw) {
  Body& body = bodies_.at(withdraw.id);
  SIM_EXPECT(!body.started, "a job was withdrawn that had started");
  body.withdrawn = true;
}

void World::OnCancelJob(const core::CancelJob& cancel) {
  SIM_EXPECT(bodies_.at(cancel.id).started, "a cancel for a body that does not run");
  // Of an abandoned body the thread goes on; a forwarded cancel comes through what is awaited.
  if (cancel.abandoned || cancel.counted_only) return;
  At(now_ + SomeTime(1), {Event::Kind::kCancel, cancel.id, 0, cancel.message, 0, 0});
}

void World::OnAwaitEnded(const core::AwaitEnded& ended) {
  const auto found = awaiting_.find(ended.token);
  SIM_EXPECT(found != awaiting_.end() && found->second == ended.job, "an await ended twice, or after it was left");
  awaiting_.erase(found);
  Body& body = bodies_.at(ended.job);
  body.await = core::kNoToken;
  if (body.ended) return;
  if (!ended.refusal.ok()) {
    At(now_, {Event::Kind::kContinue, body.id, ++body.generation, "", 0, 0});
  } else if (ended.completion.state == State::kCancelled || ended.completion.outcome->RaisesCancelled()) {
    At(now_, {Event::Kind::kCancel, body.id, 0, ended.completion.outcome->error->message, 0, 0});
  } else if (ended.completion.state == State::kFailed && random_.OneIn(2)) {
    body.ops.clear();
    body.ending = 1;
    At(now_, {Event::Kind::kContinue, body.id, ++body.generation, "", 0, 0});
  } else {
    At(now_, {Event::Kind::kContinue, body.id, ++body.generation, "", 0, 0});
  }
}

void World::StartBody(Body& body) {
  if (body.withdrawn) return;  // semantics 7
  body.started = true;
  const auto view = test::Get(*shards_[body.id.shard], kNs, body.id, false);
  const bool once = view.ok() && view->options != nullptr && view->options->execution == values::Execution::kAtMostOnce;
  if (!body.quick || once) {
    core::JobStarted started;
    started.id = body.id;
    started.attempt = body.attempt;
    Do(body.id.shard, started);
  }
  // Only now does the body run: what may run once starts when it is recorded that it does.
  if (once) SIM_EXPECT(ran_.insert(body.id).second, "a job ran twice that may run once");
  Continue(body);
}

void World::Continue(Body& body) {
  while (!body.ended && body.await == core::kNoToken) {
    if (body.at >= body.ops.size()) {
      if (body.ending == 1) {
        values::Error error;
        error.type = "SimulatedError";
        return EndBody(body, values::Outcome::Failed(std::move(error)));
      }
      return EndBody(body, body.ending == 2 ? values::Outcome::Cancelled("of itself")
                                            : values::Outcome::Value(values::Payload::Text("value")));
    }
    const Op op = body.ops[body.at++];
    if (op.kind == Op::Kind::kSleep) {
      return At(now_ + op.sleep, {Event::Kind::kContinue, body.id, ++body.generation, "", 0, 0});
    }
    if (op.kind == Op::Kind::kAwait) {
      const std::optional<values::FutureId> target = Pick();
      if (!target) continue;
      core::Await await;
      await.token = body.await = ++last_token_;
      await.ns = kNs;
      await.job = body.id;
      await.attempt = body.attempt;
      await.target = *target;
      awaiting_[await.token] = body.id;
      Trace(fmt::format("await {} -> {}", body.id.sequence, target->sequence));
      ++body.generation;
      return Do(body.id.shard, await);
    }
    if (op.kind == Op::Kind::kProgress) {
      core::JobProgress progress;
      progress.id = body.id;
      progress.attempt = body.attempt;
      progress.fraction = 0.5;
      Do(body.id.shard, std::move(progress));
    } else {
      core::Uncancel uncancel;
      uncancel.id = body.id;
      uncancel.attempt = body.attempt;
      Do(body.id.shard, uncancel);
    }
  }
}

void World::SeeCancelled(Body& body, const std::string& message) {
  if (body.ended || !body.started) return;
  if (body.await != core::kNoToken) {  // it stands in an await: thrown in there
    core::Detach detach;
    detach.token = body.await;
    awaiting_.erase(body.await);
    body.await = core::kNoToken;
    Do(body.id.shard, detach);
  }
  ++body.generation;
  if (closing_ || body.policy == Policy::kEnd) return EndBody(body, values::Outcome::Cancelled(message));
  if (body.policy == Policy::kRaise) {
    values::Error error;
    error.type = "CleanupError";
    return EndBody(body, values::Outcome::Failed(std::move(error)));
  }
  body.policy = Policy::kEnd;  // swallowed once
  Continue(body);
}

void World::EndBody(Body& body, values::OutcomeRef outcome) {
  body.ended = true;
  const KnownFuture* future = model_.Find(body.id);
  const bool was_done = values::IsDone(future->state);
  core::JobEnded ended;
  ended.id = body.id;
  ended.attempt = body.attempt;
  ended.outcome = outcome;
  ended.started = now_;
  Do(body.id.shard, std::move(ended));
  future = model_.Find(body.id);
  SIM_EXPECT(values::IsDone(future->state), "a body ended, and its future did not");
  const bool kept = future->outcome == outcome;
  if (was_done) SIM_EXPECT(!kept, "a late outcome replaced the first");
  if (!was_done && outcome->kind != values::Outcome::Kind::kCancelled) SIM_EXPECT(kept, "a body's outcome was lost");
}

}  // namespace muster::simulation
