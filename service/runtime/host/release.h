// When what a loop's shards have decided may be seen: held back, in order, until everything that they had decided by
// then is durable.
//
// At the end of a turn the changes of all the loop's shards become one batch; one batch is under way at a time, and
// what is decided meanwhile gathers for the next. Also when a batch comes home the next one waits for the turn's end:
// in the middle of a turn there are jobs whose bodies have not run yet, and each would be written twice. So the submit
// and the outcome of a short job share a commit, and nobody ever sees what a crash could take back. Without a journal
// everything is let out at once.
//
// Threading: its loop's thread, but for the constructor. Lifetime: outlives what runs on the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "service/core/door/effect.h"
#include "service/coro/runnable.h"
#include "service/dispatch/durable_waiter.h"
#include "service/executor/loop.h"
#include "service/runtime/host/loop_shards.h"
#include "service/runtime/host/outlet.h"
#include "service/runtime/journal/committer.h"
#include "service/runtime/journal/row_writer.h"

namespace muster::runtime {

using dispatch::DurableWaiter;

class Release {
 public:
  // Where the batches go. No committer: nothing survives.
  struct Journal {
    Committer* committer = nullptr;
    std::function<void()> on_failure;  // on the loop, when a batch came back lost
  };
  Release(executor::Loop& loop, LoopShards& shards, Outlet& outlet, Journal journal);

  bool journaled() const { return journal_.committer != nullptr; }
  // Whether something has happened here that is not durable.
  bool Undurable() const {
    return committing_ || releasing_ || !changed_.empty() || !durable_.empty() || !elided_.empty();
  }
  // Nothing changes any more: the shards refuse, and nothing is recorded but what was under way.
  bool frozen() const { return frozen_; }

  // `shard` may have changed.
  void Note(core::Shard& shard, values::ShardIndex index) {
    if (journaled()) NoteChanges(shard, index);
  }
  // What somebody could observe.
  void Take(core::Effect&& effect) {
    if (journaled() && Undurable()) return Hold(std::move(effect));
    outlet_.LetOut(std::move(effect));
  }
  // `waiter` stays alive until it has run. It may run at once only if nothing is undurable: ask first.
  void WhenDurable(DurableWaiter& waiter);

  void Freeze(const absl::Status& refusal);
  // Freezes, and calls `closed` when all that has happened is durable. From then on nothing is recorded.
  void Close(const absl::Status& refusal, std::function<void()> closed);

  // The journal has failed, in this order: the shards are frozen (false: they were for this very reason); what was
  // held is refused; whoever closes the journal is told that it is closed.
  bool Fail();
  void RefuseHeld();
  void SayClosed();

 private:
  struct Held {
    core::Effect effect;
    DurableWaiter* waiter = nullptr;  // if set, the effect means nothing
  };
  class OwnCommit final : public Commit {
   public:
    explicit OwnCommit(Release& r)
        : Commit([](coro::Runnable& self) { static_cast<OwnCommit&>(self).release_.OnWritten(); }, &r.loop_),
          release_(r) {}

   private:
    Release& release_;
  };
  class ReleaseSoon final : public coro::Runnable {
   public:
    explicit ReleaseSoon(Release& r)
        : Runnable([](coro::Runnable& self) { static_cast<ReleaseSoon&>(self).release_.OnReleaseSoon(); }),
          release_(r) {}

   private:
    Release& release_;
  };

  void NoteChanges(core::Shard& shard, values::ShardIndex index);
  void Hold(core::Effect&& effect) { held_.emplace_back().effect = std::move(effect); }
  // The end of a turn.
  void EndTurn();
  void Seal();
  void OnWritten();
  // What the batch that came home has made durable is no longer held for it.
  void TakeHome();
  // Unless it is on its way already.
  void ScheduleRelease();
  void OnReleaseSoon();
  void LetOutAll(std::vector<Held>& held);
  static void MoveTo(std::vector<Held>& to, std::vector<Held>& from);
  void SayClosedIfDurable();

  // What each of the lists below keeps room for, some megabytes at most: the next batch holds about as much again, and
  // memory of that size would come new from the system each time.
  static constexpr size_t kKeptMax = 1 << 14;

  executor::Loop& loop_;
  LoopShards& shards_;
  Outlet& outlet_;
  const Journal journal_;
  std::optional<RowWriter> writer_;
  OwnCommit commit_{*this};
  ReleaseSoon release_soon_{*this};
  bool committing_ = false;
  bool written_ = false;    // the batch under way has come home; the turn's end takes note of it
  bool releasing_ = false;  // what comes up meanwhile queues behind
  bool release_scheduled_ = false;
  bool closed_ = false;  // nothing is recorded any more
  bool failed_ = false;
  bool frozen_ = false;
  uint64_t batch_ = 0;                       // the last that was handed over
  uint64_t durable_batch_ = 0;               // the last that came home
  std::vector<values::ShardIndex> changed_;  // shards with changes that no batch has taken
  std::vector<Held> held_;                   // until the next batch is durable
  std::vector<Held> committed_;              // until the one under way is
  std::vector<Held> durable_;                // of the batch that came home: let out in the next turn
  std::vector<Held> elided_;                 // of batches that had nothing to write: after those
  std::function<void()> when_closed_;
};

}  // namespace muster::runtime
