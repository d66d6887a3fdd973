#include "service/core/shard.h"

#include <algorithm>
#include <utility>

#include "service/base/check.h"
#include "service/core/futures/views.h"
#include "service/core/interest/awaits.h"
#include "service/core/interest/detach.h"
#include "service/core/invariants.h"
#include "service/core/kinds/job.h"
#include "service/core/kinds/kind.h"
#include "service/core/kinds/promise.h"
#include "service/core/kinds/submission.h"
#include "service/core/turn.h"

namespace muster::core {

// Jobs take the short way.
void Apply(Turn& turn, Submit& command) {
  if (AnswerRepeated(turn, command)) return;
  const auto kind = static_cast<FutureKind>(command.spec.index());
  if (kind == FutureKind::kJob) return SubmitJob(turn, command);
  KindOf(kind).submit(turn, command);
}

namespace {

Restoring& RestoringOf(Turn& turn) {
  if (!turn.restoring) turn.restoring = std::make_unique<Restoring>();
  return *turn.restoring;
}

}  // namespace

// Every call that changes something lies between the beginning and the end of one of these.
class Shard::Call {
 public:
  Call(Turn& turn, base::Instant now, Effects& out) : turn_(turn) {
    MUSTER_DCHECK(now >= turn.now) << "time went backwards";
    turn.now = now;
    turn.effects = &out;
  }
  ~Call() {
    Drain(turn_);
    // While restoring, futures stay where they are.
    if (!turn_.restoring || turn_.restoring->linked()) ForgetDoomed(turn_);
    turn_.effects = nullptr;
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  Turn& turn_;
};

Shard::Shard(ShardOptions options) : turn_(std::make_unique<Turn>(options)) {}
Shard::~Shard() = default;

// --- Commands -------------------------------------------------------------------------------------------------------

#define MUSTER_APPLY(Command)                                           \
  void Shard::Apply(Command command, base::Instant now, Effects& out) { \
    const Call call(*turn_, now, out);                                  \
    if (!turn_->frozen.on()) {                                          \
      core::Apply(*turn_, command);                                     \
    } else {                                                            \
      WhileFrozen(*turn_, command);                                     \
    }                                                                   \
  }
MUSTER_APPLY(Submit&&)
MUSTER_APPLY(SettlePromise)
MUSTER_APPLY(JobStarted)
MUSTER_APPLY(JobEnded)
MUSTER_APPLY(JobProgress)
MUSTER_APPLY(JobLost)
MUSTER_APPLY(Cancel)
MUSTER_APPLY(Delete)
MUSTER_APPLY(Uncancel)
MUSTER_APPLY(Await)
MUSTER_APPLY(AttachWait)
MUSTER_APPLY(AttachStream)
MUSTER_APPLY(Detach)
#undef MUSTER_APPLY

void Shard::Apply(ShardMessage message, base::Instant now, Effects& out) {
  const Call call(*turn_, now, out);
  if (!turn_->frozen.on()) OnMessage(*turn_, message);
}

void Shard::KnowNamespace(NamespaceId ns, uint16_t ns_tag) { turn_->futures.KnowNamespace(ns, ns_tag); }

// --- Time -----------------------------------------------------------------------------------------------------------

base::Instant Shard::NextDeadline() const {
  if (turn_->frozen.on()) return base::kNever;
  return turn_->doomed.empty() ? turn_->timers.NextDeadline() : turn_->now;
}

void Shard::Tick(base::Instant now, Effects& out, bool only_earliest) {
  const Call call(*turn_, now, out);
  if (turn_->frozen.on()) return;
  const base::Instant until = only_earliest ? std::min(now, turn_->timers.NextDeadline()) : now;
  while (base::Timer* timer = turn_->timers.PopDue(until)) {
    OnTimer(*turn_, *static_cast<ShardTimer*>(timer));
    Drain(*turn_);
  }
}

// --- Queries --------------------------------------------------------------------------------------------------------

GetFuture::Answer Shard::Ask(const GetFuture& query) { return Look(*turn_, query); }
TakeOutcomes::Answer Shard::Ask(const TakeOutcomes& query) { return Look(*turn_, query); }
ListFutures::Answer Shard::Ask(const ListFutures& query) { return Look(*turn_, query); }
ListGroup::Answer Shard::Ask(const ListGroup& query) { return Look(*turn_, query); }
GetProgress::Answer Shard::Ask(const GetProgress& query) { return Look(*turn_, query); }
TakeCompletions::Answer Shard::Ask(const TakeCompletions& query) { return TakeFrom(*turn_, query); }
GetStats::Answer Shard::Ask(const GetStats& query) { return Look(*turn_, query); }
uint64_t Shard::RequestIdCount() const { return turn_->requests.size(); }
void Shard::CheckInvariants() const { core::CheckInvariants(*turn_); }

// --- Surviving ------------------------------------------------------------------------------------------------------

bool Shard::HasChanges() const { return turn_->changes.Any(turn_->completed); }
void Shard::TakeChanges(ChangeSink& sink, uint64_t batch) {
  turn_->changes.Take(turn_->futures, turn_->requests, turn_->completed, sink, batch);
}

absl::Status Shard::Restore(const FutureRecord& record) { return RestoringOf(*turn_).Take(*turn_, record); }
absl::Status Shard::RestoreInput(const FutureId& id, Payload input) {
  return RestoringOf(*turn_).TakeInput(*turn_, id, std::move(input));
}
absl::Status Shard::RestoreMembers(const FutureId& id, const MembersRecord& members) {
  return RestoringOf(*turn_).TakeMembers(*turn_, id, members);
}
absl::Status Shard::Restore(const RequestRecord& record) { return RestoringOf(*turn_).Take(*turn_, record); }
void Shard::Restore(const MarksRecord& marks) { RestoringOf(*turn_).Take(*turn_, marks); }
uint32_t Shard::FinishRestoring() { return RestoringOf(*turn_).FinishTaking(*turn_); }

void Shard::Relink(uint32_t depth, base::Instant now, Effects& out) {
  const Call call(*turn_, now, out);
  RestoringOf(*turn_).Relink(*turn_, depth);
}

absl::Status Shard::FinishRelinking(base::Instant now, Effects& out) {
  const Call call(*turn_, now, out);
  return RestoringOf(*turn_).FinishRelinking(*turn_);
}

void Shard::ForEachRestored(const std::function<void(const Changed&)>& visit) const {
  for (const Future& future : turn_->futures.created()) {
    if (future.incarnation == turn_->options.incarnation) break;
    visit(ChangedOf(*turn_, future));
  }
}

bool Shard::Resume(size_t max, base::Instant now, Effects& out) {
  const Call call(*turn_, now, out);
  if (turn_->frozen.on() || !turn_->restoring) return false;
  if (turn_->restoring->Resume(*turn_, max)) return true;
  turn_->restoring.reset();
  return false;
}

void Shard::Freeze(uint64_t durable_batch, absl::Status refusal) {
  turn_->frozen.Freeze(durable_batch, std::move(refusal));
}

}  // namespace muster::core
