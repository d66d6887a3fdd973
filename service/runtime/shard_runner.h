// One loop's part of the service: its shards, who waits on them, and the jobs that run there.
//
// A command is applied to a shard, which appends effects; these are carried out in order once the shard has returned,
// and what they cause (another command, say) queues behind them. So nobody's code runs inside a shard, and no effect
// overtakes another. What anyone could observe leaves here only, in Carry: the one place where a journal will hold it
// back until the batch is durable.
//
// Threading: its loop's thread, but for the constructor. Lifetime: outlives what runs on the loop.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "service/core/shard.h"
#include "service/coro/executor.h"
#include "service/executor/loop.h"
#include "service/runtime/dispatcher.h"
#include "service/runtime/requests.h"
#include "service/runtime/shared.h"

namespace muster::runtime {

class ShardRunner : private coro::Timer {
 public:
  ShardRunner(Shared& shared, executor::Loop& loop, uint8_t index);
  ~ShardRunner();

  executor::Loop& loop() { return loop_; }
  RequestTable& requests() { return requests_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  Shared& shared() { return shared_; }
  // Where this loop puts what could live anywhere.
  core::ShardIndex home() const { return index_; }
  bool Owns(core::ShardIndex shard) const { return shard % shared_.loops == index_; }
  core::Shard& ShardAt(core::ShardIndex shard) { return *shards_[shard / shared_.loops]; }
  // Calls `visit(index, shard)` for each shard of this loop.
  template <typename F>
  void ForEachShard(F&& visit) {
    for (size_t i = 0; i < shards_.size(); ++i) {
      visit(static_cast<core::ShardIndex>(index_ + i * shared_.loops), *shards_[i]);
    }
  }

  // To a shard of this loop.
  template <typename Command>
  void Apply(core::ShardIndex shard, Command command) {
    core::Shard& target = ShardAt(shard);
    target.Apply(std::move(command), shared_.Now(), effects_);
    if constexpr (std::is_same_v<Command, core::Submit>) CountRequestIds(shard);
    Carry(target);
  }
  absl::Status Delete(core::ShardIndex shard, core::NamespaceId ns, const core::FutureId& id);

  // To any shard, from this loop. Commands to one shard arrive in the order sent.
  template <typename Command>
  void Send(core::ShardIndex shard, Command command) {
    if (Owns(shard)) {
      Apply(shard, std::move(command));
      return;
    }
    ShardRunner& owner = shared_.OwnerOf(shard);
    owner.loop_.Post([&owner, shard, moved = std::move(command)]() mutable { owner.Apply(shard, std::move(moved)); });
  }

  // Fires the shards' timers that are due; with `only_earliest` those of one instant.
  void Tick(bool only_earliest = false);
  base::Instant NextDeadline() const;
  // Tells whoever waits on this loop that the service is going away.
  void Drain(bool last_step);

 private:
  static void OnTimer(coro::Timer& timer);

  // Carries the effects out that have gathered, then arms the timer for `touched`.
  void Carry(core::Shard& touched);
  void CarryOut(core::Effect&& effect);
  void Answer(core::Token token, core::Effect&& effect);
  void Deliver(core::Token token, core::Effect&& effect);
  void OnChanged(const core::Changed& change);
  void OnDropped(const core::Dropped& drop);
  void ArmFor(base::Instant deadline);
  void CountRequestIds(core::ShardIndex shard) {
    shared_.request_ids[shard].store(ShardAt(shard).Stats().request_ids, std::memory_order_relaxed);
  }

  Shared& shared_;
  executor::Loop& loop_;
  const uint8_t index_;
  std::vector<std::unique_ptr<core::Shard>> shards_;  // index_, index_ + loops, index_ + 2 * loops ...
  RequestTable requests_;
  Dispatcher dispatcher_;
  core::Effects effects_;
  bool carrying_ = false;
  base::Instant armed_for_ = base::kNever;
};

}  // namespace muster::runtime
