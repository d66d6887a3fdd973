#include "service/runtime/shard_runner.h"

#include <algorithm>
#include <variant>

#include "service/base/check.h"
#include "service/base/reason.h"

namespace muster::runtime {

ShardRunner::ShardRunner(Shared& shared, executor::Loop& loop, uint8_t index)
    : dispatch::Host(loop, shared.options.incarnation),
      coro::Timer(&OnTimer),
      shared_(shared),
      index_(index),
      requests_(index),
      dispatcher_(*this, shared.directory, shared.pool_room, shared.loops),
      committer_(shared.committer.get()) {
  MUSTER_CHECK(&loop.clock() == &shared.clock) << "a loop of the service has another clock";
  for (size_t shard = index; shard < shared.options.shards; shard += shared.loops) {
    core::ShardOptions options;
    options.index = static_cast<values::ShardIndex>(shard);
    options.shards = shared.options.shards;
    options.incarnation = shared.options.incarnation;
    options.journaled = committer_ != nullptr;
    options.nesting_max = shared.options.limits.nesting_max;
    options.undelivered_retention = shared.options.call_retention;
    options.request_ids_max = shared.options.limits.request_ids_max;
    shards_.push_back(std::make_unique<core::Shard>(options));
  }
  if (committer_ == nullptr) return;
  writer_.emplace();
  loop.AddTurnHook([this] { EndTurn(); });
}

ShardRunner::~ShardRunner() {
  if (armed_for_ != base::kNever) loop_.RemoveTimer(*this);  // the loop has stopped and still exists
}

void ShardRunner::OnTimer(coro::Timer& timer) {
  auto& self = static_cast<ShardRunner&>(timer);
  self.armed_for_ = base::kNever;
  self.Tick();
}

void ShardRunner::Tick(bool only_earliest) {
  const base::Instant now = ReadTime();
  const base::Instant earliest = NextDeadline();
  ForEachShard([&](values::ShardIndex index, core::Shard& shard) {
    const base::Instant due = shard.NextDeadline();
    if (due > now || (only_earliest && due > earliest)) return;
    shard.Tick(now, effects_, only_earliest);
    CountRequestIds(index);
    Carry(shard, index);
  });
  ArmFor(NextDeadline());
}

base::Instant ShardRunner::NextDeadline() const {
  base::Instant earliest = base::kNever;
  for (const auto& shard : shards_) earliest = std::min(earliest, shard->NextDeadline());
  return earliest;
}

void ShardRunner::ArmFor(base::Instant deadline) {
  if (deadline >= armed_for_) return;
  if (armed_for_ != base::kNever) loop_.RemoveTimer(*this);
  armed_for_ = deadline;
  loop_.AddTimer(*this, deadline);
}

absl::Status ShardRunner::Delete(values::ShardIndex shard, values::NamespaceId ns, const values::FutureId& id) {
  core::Shard& target = ShardAt(shard);
  absl::Status deleted = target.Delete(ns, id, TurnTime(), effects_);
  Carry(target, shard);
  return deleted;
}

void ShardRunner::Carry(core::Shard& touched, values::ShardIndex index) {
  ArmFor(touched.NextDeadline());
  if (committer_ != nullptr) NoteChanges(touched, index);
  if (carries_) return;  // whoever carries further down the stack will come to the new effects
  carries_ = true;
  while (!effects_.empty()) {
    carrying_.swap(effects_);  // in place, while what they cause gathers
    for (core::Effect& effect : carrying_) CarryOut(std::move(effect));
    carrying_.clear();
  }
  carries_ = false;
}

void ShardRunner::CarryOut(core::Effect&& effect) {
  if (auto* changed = std::get_if<core::Changed>(&effect)) return OnChanged(*changed);
  if (auto* start = std::get_if<core::StartJob>(&effect)) return dispatcher_.Start(std::move(*start));
  if (auto* withdraw = std::get_if<core::WithdrawJob>(&effect)) return dispatcher_.Withdraw(*withdraw);
  if (auto* cancel = std::get_if<core::CancelJob>(&effect)) return dispatcher_.Cancel(*cancel);
  if (auto* dropped = std::get_if<core::Dropped>(&effect)) return OnDropped(*dropped);
  if (auto* expired = std::get_if<core::GraceExpired>(&effect)) return shared_.observer.OnGraceExpired(*expired);
  if (committer_ != nullptr && Undurable()) return Hold(std::move(effect));
  LetOut(std::move(effect));
}

void ShardRunner::LetOut(core::Effect&& effect) {
  if (auto* send = std::get_if<core::SendToShard>(&effect)) return Send(send->shard, std::move(send->message));
  const core::Token token = TokenOf(effect);
  if (token != core::kNoToken) Answer(token, std::move(effect));
}

void ShardRunner::Answer(core::Token token, core::Effect&& effect) {
  const uint8_t loop = RequestTable::LoopOf(token);
  if (loop == index_) return Deliver(token, std::move(effect));
  ShardRunner& asker = *shared_.runners[loop];
  asker.loop_.Post([&asker, token, moved = std::move(effect)]() mutable { asker.Deliver(token, std::move(moved)); });
}

void ShardRunner::Deliver(core::Token token, core::Effect&& effect) {
  if (Receiver* receiver = requests_.Find(token)) receiver->OnEffect(std::move(effect));
}

void ShardRunner::OnChanged(const core::Changed& change) {
  Usage& usage = shared_.usage;
  const bool waits_for_pool = change.kind == values::FutureKind::kJob &&
                              shared_.directory.At(change.function).kind == values::FunctionKind::kBlocking;
  const auto is_queued = [](values::State s) { return s == values::State::kQueued || s == values::State::kDelayed; };
  if (change.created) {
    usage.pending_futures.fetch_add(1, std::memory_order_relaxed);
    if (waits_for_pool && is_queued(change.to)) usage.blocking_queued.fetch_add(1, std::memory_order_relaxed);
  } else if (waits_for_pool && is_queued(change.from) != is_queued(change.to)) {
    usage.blocking_queued.fetch_add(is_queued(change.to) ? 1 : -1, std::memory_order_relaxed);
  }
  if (values::IsDone(change.to)) usage.pending_futures.fetch_sub(1, std::memory_order_relaxed);
  shared_.namespaces.AddBytes(change.ns, change.bytes_held);
  shared_.observer.OnChanged(change, now_);
}

void ShardRunner::OnDropped(const core::Dropped& drop) {
  shared_.namespaces.AddBytes(drop.ns, drop.bytes_held);
  shared_.observer.OnDropped(drop);
}

void ShardRunner::Drain(bool last_step) {
  const absl::Status refusal = base::Refuse(
      base::Reason::kDraining, "the server is shutting down: ask again when it is back, with the same ids");
  requests_.ForEach([&](Receiver& receiver) { receiver.OnDrain(refusal, last_step); });
}

}  // namespace muster::runtime
