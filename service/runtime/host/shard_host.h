// One loop's part of the service: its shards and the jobs that run there.
//
// A command is applied to a shard, which appends effects; these are carried out in order once the shard has returned,
// and what they cause (another command, say) queues behind them. So nobody's code runs inside a shard, and no effect
// overtakes another. What somebody could observe goes to Release, which lets it out when it may be seen.
//
// Threading: its loop's thread, but for the constructor. Lifetime: outlives what runs on the loop.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include "service/core/shard.h"
#include "service/coro/executor.h"
#include "service/executor/blocking_pool.h"
#include "service/executor/loop.h"
#include "service/jobs/registry.h"
#include "service/runtime/admission/admission.h"
#include "service/runtime/admission/namespaces.h"
#include "service/runtime/dispatcher.h"
#include "service/runtime/host/hosts.h"
#include "service/runtime/host/loop_shards.h"
#include "service/runtime/host/outlet.h"
#include "service/runtime/host/release.h"
#include "service/runtime/observer.h"
#include "service/runtime/store.h"

namespace muster::runtime {

class ShardHost : private coro::Timer {
 public:
  // What the hosts of all loops share; outlives them.
  struct Surroundings {
    Hosts& hosts;
    Admission& admission;
    Namespaces& namespaces;
    const jobs::Registry& registry;
    executor::BlockingPool& pool;
    const base::Clock& clock;
    Observer& observer;
    Committer* committer;        // null: nothing survives
    const Store* store;          // with a committer
    core::ShardOptions options;  // of each shard, but for its index
  };

  ShardHost(const Surroundings& surroundings, executor::Loop& loop, uint8_t index);
  ~ShardHost();

  executor::Loop& loop() { return loop_; }
  LoopShards& shards() { return shards_; }
  Outlet& outlet() { return outlet_; }
  RequestTable& requests() { return outlet_.requests(); }
  Release& release() { return release_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  const Hosts& hosts() const { return around_.hosts; }
  Admission& admission() { return around_.admission; }
  Namespaces& namespaces() { return around_.namespaces; }
  const jobs::Registry& registry() const { return around_.registry; }
  executor::BlockingPool& pool() { return around_.pool; }
  const base::Clock& clock() const { return around_.clock; }
  Observer& observer() { return around_.observer; }
  uint32_t incarnation() const { return around_.options.incarnation; }
  // Where this loop puts what could live anywhere.
  values::ShardIndex home() const { return index_; }

  // To a shard of this loop.
  template <typename Command>
  void Apply(values::ShardIndex shard, Command&& command) {
    static_assert(!std::is_lvalue_reference_v<Command>, "commands are given away");
    core::Shard& target = shards_.At(shard);
    target.Apply(std::move(command), TurnTime(), effects_);
    if constexpr (std::is_same_v<Command, core::Submit>) CountRequestIds(shard);
    Carry(target, shard);
  }

  // The time, as of the start of the loop's turn or the end of the last body: what came in together came at one time,
  // and a clock that is read for each of a hundred items costs more than their futures. Never goes backwards.
  base::Instant TurnTime() { return now_ = std::max(now_, loop_.turn_time()); }
  // The clock, for what has taken its time.
  base::Instant ReadTime() { return now_ = around_.clock.Now(); }

  bool journaled() const { return release_.journaled(); }
  bool frozen() const { return release_.frozen(); }
  void WhenDurable(DurableWaiter& waiter) { release_.WhenDurable(waiter); }

  // Starts the jobs that were restored, some each turn.
  void Resume();
  // Calls `flushed` when all that has happened by now is durable and let out.
  void Flush(std::function<void()> flushed);
  // Nothing changes any more; bodies go on, and their ends are ignored.
  void Freeze(const absl::Status& refusal) { release_.Freeze(refusal); }
  // The journal has failed: whoever waits is told so, and nothing changes any more. Idempotent.
  void OnJournalFailed();
  // Tells whoever waits on this loop that the service is going away.
  void Drain(bool last_step);

  // Counts and limits follow from it.
  void OnChanged(const core::Changed& change);
  void CountRequestIds(values::ShardIndex shard) {
    around_.admission.RequestIdsOf(shard).store(shards_.At(shard).RequestIdCount(), std::memory_order_relaxed);
  }

  // Blocking threads whose future has ended. Any thread reads.
  uint64_t abandoned_jobs() const { return static_cast<uint64_t>(abandoned_jobs_.load(std::memory_order_relaxed)); }
  void CountAbandoned(int by) { abandoned_jobs_.fetch_add(by, std::memory_order_relaxed); }

  // Fires the shards' timers that are due; with `only_earliest` those of one instant.
  void Tick(bool only_earliest = false);

 private:
  static void OnTimer(coro::Timer& timer);

  // Carries the effects out that have gathered, then arms the timer for `touched`.
  void Carry(core::Shard& touched, values::ShardIndex index);
  void CarryOut(core::Effect&& effect);
  void OnDropped(const core::Dropped& drop);
  void ArmFor(base::Instant deadline);

  const Surroundings around_;
  executor::Loop& loop_;
  const uint8_t index_;
  LoopShards shards_;
  Outlet outlet_;
  Release release_;
  Dispatcher dispatcher_;
  core::Effects effects_;   // to be carried out
  core::Effects carrying_;  // being carried out
  bool carries_ = false;
  std::atomic<int64_t> abandoned_jobs_{0};
  base::Instant now_{};
  base::Instant armed_for_ = base::kNever;
};

}  // namespace muster::runtime
