// A shard of the futures: a deterministic state machine that decides everything asyncio promises.
//
// It has no threads, no clock, no I/O and no protobuf. Every call names the present time and appends its effects; equal
// calls give equal effects. A wait costs one counter and one intrusive link a member; a completion costs O(1) for each
// wait it belongs to, whatever the wait's size.
//
// This is the conductor: it begins a call, dispatches it to the room that decides, tells those who wait what has become
// done, and forgets what nothing holds any more. What is decided, and where, README.md says.
//
// Threading: one thread at a time; the runtime gives each shard to one loop.
// Lifetime: payloads and outcomes in effects are counted and outlive the shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/core/door/query.h"
#include "service/core/record/record.h"
#include "service/core/shard_options.h"

namespace muster::core {

struct Turn;

class Shard {
 public:
  explicit Shard(ShardOptions options);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // --- Commands. `now` never goes backwards between calls.

  void Apply(Submit&& command, base::Instant now, Effects& out);
  void Apply(SettlePromise command, base::Instant now, Effects& out);
  void Apply(JobStarted command, base::Instant now, Effects& out);
  void Apply(JobEnded command, base::Instant now, Effects& out);
  void Apply(JobProgress command, base::Instant now, Effects& out);
  void Apply(JobLost command, base::Instant now, Effects& out);
  void Apply(Cancel command, base::Instant now, Effects& out);
  void Apply(Delete command, base::Instant now, Effects& out);
  void Apply(Uncancel command, base::Instant now, Effects& out);
  void Apply(Await command, base::Instant now, Effects& out);
  void Apply(AttachWait command, base::Instant now, Effects& out);
  void Apply(AttachStream command, base::Instant now, Effects& out);
  void Apply(Detach command, base::Instant now, Effects& out);
  void Apply(ShardMessage message, base::Instant now, Effects& out);

  // What an id's namespace tag must be for it to belong to `ns`. Each Submit says it too; saying it earlier lets ids of
  // an earlier incarnation be told apart (FUTURE_LOST, not found) before the namespace's first submit.
  void KnowNamespace(NamespaceId ns, uint16_t ns_tag);

  // Fires what is due; with `only_earliest` no more than the timers of the single earliest instant that is due.
  void Tick(base::Instant now, Effects& out, bool only_earliest = false);
  // When Tick has something to do next; kNever when nothing is timed.
  base::Instant NextDeadline() const;

  // --- Queries

  core::GetFuture::Answer Ask(const core::GetFuture& query);
  core::TakeOutcomes::Answer Ask(const core::TakeOutcomes& query);
  core::ListFutures::Answer Ask(const core::ListFutures& query);
  core::ListGroup::Answer Ask(const core::ListGroup& query);
  core::GetProgress::Answer Ask(const core::GetProgress& query);
  core::TakeCompletions::Answer Ask(const core::TakeCompletions& query);
  core::GetStats::Answer Ask(const core::GetStats& query);
  uint64_t RequestIdCount() const;

  // --- Surviving
  //
  // A batch is what TakeChanges took between two calls; the caller writes it, and lets out what anyone could observe of
  // it when it is durable. To take a shard up again from what was written, in this order:
  //
  //   Restore(...) for each record, futures in order of their sequence, each followed by its input and members
  //   depth = FinishRestoring(), the largest of all shards
  //   Relink(d) for d in 0..depth: on every shard, delivering the messages to other shards at once, before the next d
  //   FinishRelinking() on every shard
  //   Resume(max) until it returns false: jobs start, in order of creation; other commands may come in between

  // Whether TakeChanges would have something to say.
  bool HasChanges() const;
  // Hands out what has changed since the last call. `batch` numbers only grow.
  void TakeChanges(ChangeSink& sink, uint64_t batch);

  // DATA_LOSS says what contradicts itself.
  absl::Status Restore(const FutureRecord& record);
  absl::Status RestoreInput(const FutureId& id, Payload input);
  absl::Status RestoreMembers(const FutureId& id, const MembersRecord& members);
  absl::Status Restore(const RequestRecord& record);
  void Restore(const MarksRecord& marks);
  // How deep combinators nest.
  uint32_t FinishRestoring();
  void Relink(uint32_t depth, base::Instant now, Effects& out);
  // DATA_LOSS: a combinator's member is missing.
  absl::Status FinishRelinking(base::Instant now, Effects& out);
  // Each restored future, as if it had just been made, for who counts them. After FinishRelinking.
  void ForEachRestored(const std::function<void(const Changed&)>& visit) const;
  // At most `max` jobs. A job that was running runs again, its attempt raised by one, unless it may run once only or
  // had been asked to end (semantics 103).
  bool Resume(size_t max, base::Instant now, Effects& out);

  // From now on nothing changes any more: commands are refused with `refusal`, what bodies say is ignored, no timer
  // fires, no job is resumed. Queries go on where what they show is in a batch up to `durable_batch`: that a future is
  // gone is shown too only if all is; a stream gives no more than that, and never ends. For a journal that has failed,
  // and for the end of a server that will be started again.
  void Freeze(uint64_t durable_batch, absl::Status refusal);

  // Walks everything and aborts on what must never be: counters that do not match the links, a done future with a live
  // job, pins out of balance. For tests and the simulation.
  void CheckInvariants() const;

 private:
  class Call;

  std::unique_ptr<Turn> turn_;
};

}  // namespace muster::core
