// One loop's part of the service: its shards, who waits on them, and the jobs that run there.
//
// A command is applied to a shard, which appends effects; these are carried out in order once the shard has returned,
// and what they cause (another command, say) queues behind them. So nobody's code runs inside a shard, and no effect
// overtakes another. What anyone could observe leaves here only, in Carry.
//
// With a journal, that is held back, in order, until everything that this loop's shards had decided by then is durable.
// At the end of a turn the changes of all its shards become one batch; one batch is under way at a time, and what is
// decided meanwhile gathers for the next. So the submit and the outcome of a short job share a commit, and nobody ever
// sees what a crash could take back. Should the journal fail, the shards are frozen and those who wait are told so.
//
// Threading: its loop's thread, but for the constructor. Lifetime: outlives what runs on the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "service/core/shard.h"
#include "service/coro/executor.h"
#include "service/dispatch/dispatcher.h"
#include "service/dispatch/host.h"
#include "service/executor/loop.h"
#include "service/runtime/committer.h"
#include "service/runtime/requests.h"
#include "service/runtime/row_writer.h"
#include "service/runtime/shared.h"

namespace muster::runtime {

using dispatch::DurableWaiter;

class ShardRunner final : public dispatch::Host, private coro::Timer {
 public:
  ShardRunner(Shared& shared, executor::Loop& loop, uint8_t index);
  ~ShardRunner();

  RequestTable& requests() { return requests_; }
  dispatch::Dispatcher& dispatcher() { return dispatcher_; }
  Shared& shared() { return shared_; }
  // Where this loop puts what could live anywhere.
  values::ShardIndex home() const { return index_; }
  bool Owns(values::ShardIndex shard) const { return shard % shared_.loops == index_; }
  core::Shard& ShardAt(values::ShardIndex shard) { return *shards_[shard / shared_.loops]; }
  // Calls `visit(index, shard)` for each shard of this loop.
  template <typename F>
  void ForEachShard(F&& visit) {
    for (size_t i = 0; i < shards_.size(); ++i) {
      visit(static_cast<values::ShardIndex>(index_ + i * shared_.loops), *shards_[i]);
    }
  }

  // To a shard of this loop.
  template <typename Command>
  void Apply(values::ShardIndex shard, Command&& command) {
    static_assert(!std::is_lvalue_reference_v<Command>, "commands are given away");
    core::Shard& target = ShardAt(shard);
    target.Apply(std::move(command), TurnTime(), effects_);
    if constexpr (std::is_same_v<Command, core::Submit>) CountRequestIds(shard);
    Carry(target, shard);
  }
  absl::Status Delete(values::ShardIndex shard, values::NamespaceId ns, const values::FutureId& id);

  bool journaled() const override { return committer_ != nullptr; }
  // Whether something has happened here that is not durable.
  bool Undurable() const { return committing_ || releasing_ || !changed_.empty() || !elided_.empty(); }
  // `waiter` stays alive until it has run. It may run at once only if nothing is undurable: ask first.
  void WhenDurable(DurableWaiter& waiter) override;

  // Starts the jobs that were restored, some each turn.
  void Resume();
  // From any thread but the loop's: waits until all that has happened by now is durable and let out.
  void FlushBlocking();
  // From any thread but the loop's: waits until all that has happened is durable. From then on nothing is recorded.
  void CloseJournalBlocking();
  // Nothing changes any more; bodies go on, and their ends are ignored.
  void Freeze(absl::Status refusal);
  bool frozen() const { return frozen_; }
  // The journal has failed: whoever waits is told so, and nothing changes any more. Idempotent.
  void OnJournalFailed();
  // Counts and limits follow from it.
  void OnChanged(const core::Changed& change);

  // To any shard, from this loop. Commands to one shard arrive in the order sent.
  template <typename Command>
  void Send(values::ShardIndex shard, Command&& command) {
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
  void Answer(core::Token token, core::Effect&& effect);
  void Deliver(core::Token token, core::Effect&& effect);
  void OnDropped(const core::Dropped& drop);
  void ArmFor(base::Instant deadline);

  // journaling.cc
  struct Held {
    core::Effect effect;
    DurableWaiter* waiter = nullptr;  // if set, the effect means nothing
  };
  void NoteChanges(core::Shard& shard, values::ShardIndex index);
  void Hold(core::Effect&& effect);
  // The end of a turn.
  void EndTurn();
  void Seal();
  void OnWritten();
  void Release(std::vector<Held>& held);
  void LetOut(core::Effect&& effect);
  void SayClosed();
  void Refuse(std::vector<Held>& held);
  void CountRequestIds(values::ShardIndex shard) {
    shared_.request_ids[shard].store(ShardAt(shard).RequestIdCount(), std::memory_order_relaxed);
  }

  Shared& shared_;
  const uint8_t index_;
  std::vector<std::unique_ptr<core::Shard>> shards_;  // index_, index_ + loops, index_ + 2 * loops ...
  RequestTable requests_;
  dispatch::Dispatcher dispatcher_;
  core::Effects effects_;   // to be carried out
  core::Effects carrying_;  // being carried out
  bool carries_ = false;
  base::Instant armed_for_ = base::kNever;

  // With a journal.
  class OwnCommit final : public Commit {
   public:
    explicit OwnCommit(ShardRunner& r)
        : Commit([](coro::Runnable& self) { static_cast<OwnCommit&>(self).runner_.OnWritten(); }, &r.loop_),
          runner_(r) {}

   private:
    ShardRunner& runner_;
  };
  class ReleaseSoon final : public coro::Runnable {
   public:
    explicit ReleaseSoon(ShardRunner& r)
        : Runnable([](coro::Runnable& self) {
            auto& runner = static_cast<ReleaseSoon&>(self).runner_;
            runner.Release(runner.elided_);
            runner.SayClosed();
          }),
          runner_(r) {}

   private:
    ShardRunner& runner_;
  };
  Committer* const committer_;  // null: nothing survives
  std::optional<RowWriter> writer_;
  OwnCommit commit_{*this};
  ReleaseSoon release_soon_{*this};
  bool committing_ = false;
  bool releasing_ = false;  // what comes up meanwhile queues behind
  bool closed_ = false;     // nothing is recorded any more
  bool failed_ = false;
  bool frozen_ = false;
  uint64_t batch_ = 0;                       // the last that was handed over
  uint64_t durable_batch_ = 0;               // the last that came home
  std::vector<values::ShardIndex> changed_;  // shards with changes that no batch has taken
  std::vector<Held> held_;                   // until the next batch is durable
  std::vector<Held> committed_;              // until the one under way is
  std::vector<Held> elided_;                 // of batches that had nothing to write: let out in the next turn
  std::function<void()> when_closed_;
};

}  // namespace muster::runtime
