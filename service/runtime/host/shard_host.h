// One loop's part of the service: its shards and the jobs that run there.
//
// A command is applied to a shard, which appends effects; these are carried out in order once the shard has returned,
// and what they cause (another command, say) queues behind them. So nobody's code runs inside a shard, and no effect
// overtakes another. What somebody could observe goes to Release, which lets it out when it may be seen.
//
// Threading: its loop's thread, but for the constructor. Lifetime: outlives what runs on the loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "service/core/shard.h"
#include "service/coro/executor.h"
#include "service/dispatch/directory.h"
#include "service/dispatch/dispatcher.h"
#include "service/dispatch/host.h"
#include "service/dispatch/pool_room.h"
#include "service/executor/loop.h"
#include "service/runtime/admission/admission.h"
#include "service/runtime/admission/namespaces.h"
#include "service/runtime/host/hosts.h"
#include "service/runtime/host/loop_shards.h"
#include "service/runtime/host/outlet.h"
#include "service/runtime/host/release.h"
#include "service/runtime/observer.h"

namespace muster::runtime {

class ShardHost final : public dispatch::Host, private coro::Timer {
 public:
  // What the hosts of all loops share; outlives them.
  struct Surroundings {
    Hosts& hosts;
    Admission& admission;
    Namespaces& namespaces;
    dispatch::Directory& directory;
    dispatch::PoolRoom& pool_room;
    const base::Clock& clock;
    Observer& observer;
    Committer* committer;        // null: nothing survives
    core::ShardOptions options;  // of each shard, but for its index
  };

  ShardHost(const Surroundings& surroundings, executor::Loop& loop, uint8_t index);
  ~ShardHost();

  LoopShards& shards() { return shards_; }
  Outlet& outlet() { return outlet_; }
  RequestTable& requests() { return outlet_.requests(); }
  Release& release() { return release_; }
  dispatch::Dispatcher& dispatcher() { return dispatcher_; }
  const Hosts& hosts() const { return around_.hosts; }
  Admission& admission() { return around_.admission; }
  Namespaces& namespaces() { return around_.namespaces; }
  Observer& observer() { return around_.observer; }
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

  bool journaled() const override { return release_.journaled(); }
  bool frozen() const { return release_.frozen(); }
  void WhenDurable(DurableWaiter& waiter) override { release_.WhenDurable(waiter); }

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

  // Fires the shards' timers that are due; with `only_earliest` those of one instant.
  void Tick(bool only_earliest = false);

 private:
  // job_host.cc: what jobs say and ask for.
  void OnReport(dispatch::Report&& report) override;
  const std::string& NamespaceName(values::NamespaceId id) const override;
  coro::Task<absl::StatusOr<values::FutureId>> Submit(core::Submit command) override;
  coro::Task<absl::StatusOr<values::OutcomeRef>> Await(dispatch::Awaiting awaiting, values::FutureId target) override;
  coro::Task<absl::StatusOr<core::CancelEffect>> Cancel(values::NamespaceId ns, values::FutureId target,
                                                        std::string message) override;
  void Uncancel(core::Uncancel&& command) override;

  static void OnTimer(coro::Timer& timer);

  // Carries the effects out that have gathered, then arms the timer for `touched`.
  void Carry(core::Shard& touched, values::ShardIndex index);
  void CarryOut(core::Effect&& effect);
  void OnDropped(const core::Dropped& drop);
  void ArmFor(base::Instant deadline);

  const Surroundings around_;
  const uint8_t index_;
  LoopShards shards_;
  Outlet outlet_;
  Release release_;
  dispatch::Dispatcher dispatcher_;
  core::Effects effects_;   // to be carried out
  core::Effects carrying_;  // being carried out
  bool carries_ = false;
  base::Instant armed_for_ = base::kNever;
};

}  // namespace muster::runtime
