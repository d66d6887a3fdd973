#include "service/core/record/restoring.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/core/completion.h"
#include "service/core/interest/remote.h"
#include "service/core/kinds/cancel.h"
#include "service/core/kinds/combinator.h"
#include "service/core/kinds/gather.h"
#include "service/core/kinds/job.h"
#include "service/core/kinds/kind.h"
#include "service/core/kinds/submission.h"
#include "service/core/record/damage.h"
#include "service/core/record/form.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

// A server may have handed out numbers, and even shown them to somebody, that were never recorded: of futures that were
// made, done and forgotten within a batch. Completion numbers live on in resume tokens, so none may be used again.
constexpr uint64_t kCompletionsUnrecorded = 1 << 20;

absl::Status Damaged(const FutureId& id, const std::string& what) {
  return absl::DataLossError(fmt::format("future {}: {}", id.ToText(), what));
}

absl::Status Damaged(const FutureId& id, const std::vector<std::string>& damage) {
  return damage.empty() ? absl::OkStatus() : Damaged(id, damage.front());
}

}  // namespace

// --- Records --------------------------------------------------------------------------------------------------------

absl::Status Restoring::Check(Turn& turn, const FutureRecord& record) const {
  const FutureId& id = record.id;
  if (!turn.futures.IsHere(id) || id.sequence == 0) return Damaged(id, "it is not of this shard");
  if (id.sequence <= turn.futures.last_sequence()) return Damaged(id, "it is out of order");
  if (id.incarnation >= turn.options.incarnation) return Damaged(id, "it comes from a later run of the server");
  if (!turn.futures.CanPlace(id)) return Damaged(id, "another future has its place");
  return Damaged(id, DamageOf(record));
}

absl::Status Restoring::Take(Turn& turn, const FutureRecord& record) {
  if (absl::Status good = Check(turn, record); !good.ok()) return good;
  Future& future = turn.futures.Place(record.id);
  static_cast<Facts&>(future) = record;
  future.stored = true;
  // Whoever had called it is gone.
  if (std::exchange(future.drop_when_delivered, false)) future.retention = turn.options.undelivered_retention;
  turn.futures.CountRestored(future);
  turn.completed.RaiseTo(future.completion_sequence);
  if (future.outcome != nullptr) future.bytes += HeldBytes(*future.outcome);
  TakeCold(turn, future, record);

  if (future.done()) {
    if (!future.expired) Arm(turn, future, base::Later(future.end_time, future.retention));
  } else if (future.state != State::kRunning) {
    Arm(turn, future, record.due);  // time went on while the server was down
  }
  if (future.kind != FutureKind::kJob || future.done()) return absl::OkStatus();
  const bool once = future.options != nullptr && future.options->execution == Execution::kAtMostOnce;
  if (future.state == State::kRunning && (once || future.cancelling > 0)) {
    ToRelink(0, future);
  } else if (future.state != State::kDelayed) {
    future.unresumed = true;
    to_resume_.push_back(future.slot);
  }
  return absl::OkStatus();
}

void Restoring::TakeCold(Turn& turn, Future& future, const FutureRecord& record) {
  if (record.options != nullptr) {
    future.bytes += static_cast<int64_t>(values::ByteSize(*record.options));
    if (!record.options->group.empty() && !future.hidden) {
      turn.futures.groups().Join(future.ns, record.options->group, ColdOf(future).group);
    }
  }
  if (!record.cancel_message.empty()) ColdOf(future).cancel_message = record.cancel_message;
  if (!record.settle_request_id.empty()) ColdOf(future).settle_request_id = record.settle_request_id;
  if (!record.remote_cancels.empty()) {
    ColdOf(future).remote_cancels = std::make_unique<std::vector<RemoteCancelRecord>>(record.remote_cancels);
  }
  for (const RequestRecord& request : record.requests) {
    if (turn.requests.Find(request.ns, request.request_id) != nullptr) {
      SayDamaged(turn, future, fmt::format("its request id \"{}\" belongs to another one", request.request_id));
      continue;
    }
    RequestEntry& entry = turn.requests.Add(request.ns, request.request_id);
    entry.future = &future;
    entry.id = request.id;
    entry.spec_hash = request.spec_hash;
    entry.window = request.window;
    ColdOf(future).requests.PushBack(entry);
  }
  if (record.combinator) TakeCombinator(future, *record.combinator);
}

void Restoring::TakeCombinator(Future& future, const CombinatorRecord& record) {
  Cold& cold = ColdOf(future);
  cold.combinator = std::make_unique<Combinator>();
  cold.combinator->state = KindOf(future.kind).state;
  ForEachRecorded(*cold.combinator, record, [](auto& part, const auto& recorded) { part = recorded; });
  if (!record.cancels_sent.empty()) cancels_sent_[&future] = record.cancels_sent;
  ToRelink(record.depth, future);
}

absl::Status Restoring::TakeInput(Turn& turn, const FutureId& id, Payload input) {
  Future* future = turn.futures.At(id.slot);
  if (future == nullptr || future->sequence != id.sequence || future->kind != FutureKind::kJob || future->done()) {
    return Damaged(id, "an input belongs to no job");
  }
  future->input = std::move(input);
  future->input_stored = true;
  future->bytes += static_cast<int64_t>(future->input.ByteSize());
  return absl::OkStatus();
}

absl::Status Restoring::TakeMembers(Turn& turn, const FutureId& id, const MembersRecord& members) {
  Future* future = turn.futures.At(id.slot);
  if (future == nullptr || future->sequence != id.sequence || future->combinator_or_null() == nullptr) {
    return Damaged(id, "members belong to no future");
  }
  FutureRecord of;
  static_cast<Facts&>(of) = *future;
  if (absl::Status good = Damaged(id, DamageOf(of, members)); !good.ok()) return good;
  Combinator& combinator = future->combinator();
  combinator.count = static_cast<uint32_t>(members.members.size());
  combinator.positions = members.positions;
  combinator.members.reset(new MemberLink[combinator.count]);
  for (uint32_t at = 0; at < combinator.count; ++at) {
    combinator.members[at].combinator = future;
    combinator.members[at].id = members.members[at].id;
    combinator.members[at].times = members.members[at].times;
  }
  future->members_stored = true;
  future->bytes += SizeOfMembers(combinator);
  return absl::OkStatus();
}

absl::Status Restoring::Take(Turn& turn, const RequestRecord& record) {
  if (turn.requests.Find(record.ns, record.request_id) != nullptr) {
    return Damaged(record.id, fmt::format("request id \"{}\" is there twice", record.request_id));
  }
  if (absl::Status good = Damaged(record.id, DamageOf(record)); !good.ok()) return good;
  RequestEntry& entry = turn.requests.Add(record.ns, record.request_id);
  entry.id = record.id;
  entry.spec_hash = record.spec_hash;
  entry.window = record.window;
  entry.stored = true;
  if (record.elsewhere_outcome != nullptr) {
    Completion completion;
    completion.id = record.id;
    completion.state = record.elsewhere_state;
    completion.outcome = record.elsewhere_outcome;
    entry.elsewhere = std::make_unique<const Completion>(std::move(completion));
  }
  turn.timers.Add(entry, record.expire_time);
  return absl::OkStatus();
}

void Restoring::Take(Turn& turn, const MarksRecord& marks) {
  turn.changes.Restored(marks);
  turn.completed.RaiseTo(marks.last_completion);
}

uint32_t Restoring::FinishTaking(Turn& turn) {
  turn.futures.FinishPlacing(turn.changes.saved_marks().last_sequence);
  // The marks stay behind what they are in the rows, so that the next batch writes the raised one: else another crash
  // before anything is recorded would raise the same number once more, to the same.
  if (turn.futures.last_sequence() > 0) turn.completed.Skip(kCompletionsUnrecorded);
  for (const auto& of_depth : relink_) {
    for (const Future* future : of_depth) {
      if (future->combinator_or_null() != nullptr && !future->members_stored) {
        SayDamaged(turn, *future, "its members are missing");
      }
    }
  }
  relink_.resize(std::max<size_t>(relink_.size(), 1));
  return static_cast<uint32_t>(relink_.size() - 1);
}

// --- Tying together -------------------------------------------------------------------------------------------------

void Restoring::ToRelink(uint32_t depth, Future& future) {
  relink_.resize(std::max<size_t>(relink_.size(), depth + 1));
  relink_[depth].push_back(&future);
}

void Restoring::SayDamaged(Turn& turn, const Future& future, const std::string& what) {
  if (damage_.ok()) damage_ = Damaged(turn.futures.IdOf(future), what);
}

void Restoring::Relink(Turn& turn, uint32_t depth) {
  if (!damage_.ok() || depth >= relink_.size()) return;
  for (Future* future : relink_[depth]) {
    if (depth == 0) {
      // It ran when the server stopped. The body is gone.
      EndWhatCannotRunAgain(turn, *future, "the server stopped while the job ran");
    } else {
      RelinkOne(turn, *future);
    }
  }
}

void Restoring::RelinkOne(Turn& turn, Future& future) {
  if (future.done() && !KindOf(future.kind).keeps_members) return;  // it let go of its member when it ended
  Combinator& combinator = future.combinator();
  combinator.relinking = true;
  if (const auto sent = cancels_sent_.find(&future); sent != cancels_sent_.end()) {
    for (const CombinatorRecord::Sent& each : sent->second) {
      if (each.member < combinator.count) combinator.members[each.member].remote.cancels_sent = each.times;
    }
  }
  for (uint32_t at = 0; at < combinator.count; ++at) {
    MemberLink& member = combinator.members[at];
    if (turn.futures.IsHere(member.id)) {
      Future* here = turn.futures.FindExact(member.id);
      if (here == nullptr || here == &future) {
        return SayDamaged(turn, future, "a member is missing: " + member.id.ToText());
      }
      const Combinator* inner = here->combinator_or_null();
      if (inner != nullptr && inner->depth >= combinator.depth) {
        return SayDamaged(turn, future, "a member nests as deep: " + member.id.ToText());
      }
      turn.interest.links.Connect(member, *here);
    } else if (!turn.futures.MayBeElsewhere(member.id, member.id.ns_tag)) {
      return SayDamaged(turn, future, "a member is missing: " + member.id.ToText());
    } else {
      turn.interest.links.OpenRemote(member.remote);
      ++combinator.unanswered;
      SubscribeTo(turn, member.id, future, at, /*relink=*/true);
    }
  }
  Relinked(turn, future);
}

void Restoring::MemberAnswered(Turn& turn, Future& future, const MemberLink& member, uint32_t depth) {
  if (depth >= future.combinator().depth) SayDamaged(turn, future, "a member nests as deep: " + member.id.ToText());
  Relinked(turn, future);
}

// Once every member is known again.
void Restoring::Relinked(Turn& turn, Future& future) {
  Combinator& combinator = future.combinator();
  if (combinator.unanswered > 0 || !damage_.ok()) return;
  combinator.relinking = false;
  if (!combinator.refused.empty()) {
    return SayDamaged(turn, future, "a member is missing: " + combinator.refused.first().ToText());
  }
  if (future.done()) {
    if (!RelinkDone(future)) SayDamaged(turn, future, "it succeeded, and a member is not done");
    return;
  }
  for (uint32_t at = 0; at < combinator.count && !future.done(); ++at) {
    MemberLink& member = combinator.members[at];
    if (IsDone(StateOf(member))) {
      MemberDone(turn, member);  // also what it had been told before
    } else if (member.remote.cancels_sent > 0) {
      SendCancelAgain(turn, future, at);
    }
  }
}

bool Restoring::RelinkDone(Future& gather) {
  Combinator& combinator = gather.combinator();
  for (uint32_t at = 0; at < combinator.count; ++at) {
    MemberLink& member = combinator.members[at];
    member.settled = IsDone(StateOf(member));
    combinator.finished += member.settled;
  }
  if (gather.outcome == nullptr) {
    std::vector<OutcomeRef> results = ResultsOf(combinator);
    if (combinator.finished != combinator.count || std::count(results.begin(), results.end(), nullptr) > 0) {
      return false;
    }
    gather.outcome = Outcome::Gathered(std::move(results));
    gather.bytes += HeldBytes(*gather.outcome);
  }
  for (uint32_t at = 0; at < combinator.count; ++at) combinator.members[at].remote.outcome = nullptr;
  return true;
}

absl::Status Restoring::FinishRelinking(Turn& turn) {
  for (const auto& of_depth : relink_) {
    for (const Future* future : of_depth) {
      const Combinator* combinator = future->combinator_or_null();
      if (combinator != nullptr && combinator->relinking) {
        SayDamaged(turn, *future, "another shard did not say what became of its members");
      }
    }
  }
  relink_ = {};
  cancels_sent_ = {};
  linked_ = true;
  for (Future& future : turn.futures.created()) {
    if (future.expired && future.pins == 0) turn.doomed.Add(future);
  }
  return damage_;
}

// --- The jobs -------------------------------------------------------------------------------------------------------

bool Restoring::Resume(Turn& turn, size_t max) {
  for (; max > 0 && resumed_ < to_resume_.size(); ++resumed_) {
    Future* job = turn.futures.At(to_resume_[resumed_]);
    if (job == nullptr || !job->unresumed) continue;
    --max;
    if (!job->done() && job->armed() && job->deadline() <= turn.now) {
      turn.timers.Remove(*job);
      QueueTimedOut(turn, *job);
    }
    job->unresumed = false;
    if (!job->done()) StartAgain(turn, *job);
  }
  return resumed_ < to_resume_.size();
}

}  // namespace muster::core
