// Taking a shard up again from its records. Futures come first, each by itself; then combinators, those that nest least
// first, are tied to their members again, so that whatever one needs of its members is there when its turn comes.
#include <algorithm>

#include <fmt/format.h>

#include "service/base/check.h"
#include "service/core/detail/members.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {
namespace {

// A server may have handed out numbers, and even shown them to somebody, that were never recorded: of futures that were
// made, done and forgotten within a batch. Completion numbers live on in resume tokens, so none may be used again.
constexpr uint64_t kCompletionsUnrecorded = 1 << 20;
constexpr uint32_t kSlotsMax = 1u << 28;
constexpr uint32_t kDepthMax = 1000;

absl::Status Damaged(const FutureId& id, const std::string& what) {
  return absl::DataLossError(fmt::format("future {}: {}", id.ToText(), what));
}

// Whether what is timed, or has timed out, has a timeout: the messages of those say which.
bool TimeoutsFit(const FutureRecord& record) {
  if (IsDone(record.state)) return true;
  const Options* options = record.options.get();
  if (record.kind == FutureKind::kJob) {
    const bool queueing = record.state == State::kQueued && record.due != base::kNever;
    return (!queueing || (options != nullptr && options->queue_timeout)) &&
           (!record.run_timed_out || (options != nullptr && options->run_timeout));
  }
  if (record.kind != FutureKind::kWaitFor) return record.due == base::kNever;
  const CombinatorRecord& wait_for = *record.combinator;
  return wait_for.timeout || (record.due == base::kNever && !wait_for.polling && !wait_for.expiring);
}

}  // namespace

absl::Status Shard::Impl::CheckRecord(const FutureRecord& record) const {
  const FutureId& id = record.id;
  if (id.shard != options_.index || id.sequence == 0) return Damaged(id, "it is not of this shard");
  if (id.sequence <= last_sequence_) return Damaged(id, "it is out of order");
  if (id.incarnation >= options_.incarnation) return Damaged(id, "it comes from a later run of the server");
  if (id.slot >= kSlotsMax || futures_.Contains(id.slot)) return Damaged(id, "another future has its place");
  const bool done = IsDone(record.state);
  const bool is_job = record.kind == FutureKind::kJob;
  if (record.state == State::kExpired || (!done && (record.state == State::kPending) == is_job)) {
    return Damaged(id, "its state does not fit its kind");
  }
  const bool told_by_members = record.kind == FutureKind::kGather && record.state == State::kSucceeded;
  if ((record.outcome != nullptr) != (done && !told_by_members)) return Damaged(id, "state and outcome disagree");
  if (record.outcome != nullptr && StateFor(*record.outcome) != record.state) {
    return Damaged(id, "it ended otherwise than its outcome says");
  }
  if (done != (record.completion_sequence != 0)) return Damaged(id, "its end has no number");
  const bool combines = record.kind != FutureKind::kJob && record.kind != FutureKind::kPromise;
  if (record.combinator.has_value() != combines) return Damaged(id, "its members do not fit its kind");
  if (combines && (record.combinator->depth == 0 || record.combinator->depth > kDepthMax)) {
    return Damaged(id, "it nests too deep");
  }
  if (!done && (record.hidden || record.expired)) return Damaged(id, "it is not done, and gone");
  if (!TimeoutsFit(record)) return Damaged(id, "it has no timeout, and ran into one");
  return absl::OkStatus();
}

absl::Status Shard::Impl::Restore(const FutureRecord& record) {
  if (absl::Status good = CheckRecord(record); !good.ok()) return good;
  Future& future = futures_.PlaceAt(record.id.slot);
  future.slot = record.id.slot;
  future.incarnation = record.id.incarnation;
  future.sequence = last_sequence_ = record.id.sequence;
  future.ns = record.ns;
  future.ns_tag = record.id.ns_tag;
  future.kind = record.kind;
  future.state = record.state;
  future.function = record.function;
  future.function_kind = record.function_kind;
  future.attempt = record.attempt;
  future.cancelling = record.cancelling;
  future.create_time = record.create_time;
  future.start_time = record.start_time;
  future.end_time = record.end_time;
  future.cancel_time = record.cancel_time;
  future.retention = record.retention;
  future.completion_sequence = record.completion_sequence;
  future.outcome = record.outcome;
  future.announced = true;
  future.hidden = record.hidden;
  future.expired = record.expired;
  future.retrieved = record.retrieved;
  future.run_timed_out = record.run_timed_out;
  future.cancel_missed = record.cancel_missed;
  future.stored = true;
  // Whoever had called it is gone.
  if (record.drop_when_delivered) future.retention = options_.undelivered_retention;
  ++announced_;
  if (!future.done()) ++pending_;
  last_completion_ = std::max(last_completion_, future.completion_sequence);
  IndexCreated(future);
  if (future.outcome != nullptr) future.bytes += HeldBytes(*future.outcome);
  RestoreCold(future, record);

  if (future.done()) {
    if (!future.expired) Arm(future, base::Later(future.end_time, future.retention));
  } else if (future.state != State::kRunning) {
    Arm(future, record.due);  // time went on while the server was down
  }
  if (future.kind != FutureKind::kJob || future.done()) return absl::OkStatus();
  const bool once = future.options() != nullptr && future.options()->execution == Execution::kAtMostOnce;
  if (future.state == State::kRunning && (once || future.cancelling > 0)) {
    relink_.resize(std::max<size_t>(relink_.size(), 1));
    relink_[0].push_back(&future);
  } else if (future.state != State::kDelayed) {
    future.unresumed = true;
    to_resume_.push_back(future.slot);
  }
  return absl::OkStatus();
}

void Shard::Impl::RestoreCold(Future& future, const FutureRecord& record) {
  if (record.options != nullptr) {
    Cold& cold = ColdOf(future);
    cold.options = record.options;
    future.bytes += SizeOfOptions(*cold.options);
    if (!cold.options->group.empty() && !future.hidden) groups_.Join(future.ns, cold.options->group, cold.group);
  }
  if (!record.cancel_message.empty()) ColdOf(future).cancel_message = record.cancel_message;
  if (!record.settle_request_id.empty()) ColdOf(future).settle_request_id = record.settle_request_id;
  if (!record.remote_cancels.empty()) ColdOf(future).remote_cancels = record.remote_cancels;
  for (const RequestRecord& request : record.requests) {
    if (request_ids_.Find(request.ns, request.request_id) != nullptr) {
      SayDamaged(future, fmt::format("its request id \"{}\" belongs to another one", request.request_id));
      continue;
    }
    RequestEntry& entry = request_ids_.Add(request.ns, request.request_id);
    entry.future = &future;
    entry.id = request.id;
    entry.spec_hash = request.spec_hash;
    entry.window = request.window;
    ColdOf(future).requests.PushBack(entry);
  }
  if (!record.combinator) return;
  const CombinatorRecord& from = *record.combinator;
  Cold& cold = ColdOf(future);
  cold.combinator = std::make_unique<Combinator>();
  Combinator& to = *cold.combinator;
  to.return_exceptions = from.return_exceptions;
  to.cancel_requested = from.cancel_requested;
  to.cancel_in_doubt = from.cancel_in_doubt;
  to.polling = from.polling;
  to.expiring = from.expiring;
  to.must_cancel = from.must_cancel;
  to.depth = from.depth;
  to.cancels_passed = from.cancels_passed;
  to.timeout = from.timeout;
  to.grace = from.grace;
  to.cancel_message = from.cancel_message;
  for (const CombinatorRecord::Sent& sent : from.cancels_sent) cancels_sent_[&future].push_back(sent);
  relink_.resize(std::max<size_t>(relink_.size(), from.depth + 1));
  relink_[from.depth].push_back(&future);
}

absl::Status Shard::Impl::RestoreInput(const FutureId& id, Payload input) {
  Future* future = futures_.Find(id.slot);
  if (future == nullptr || future->sequence != id.sequence || future->kind != FutureKind::kJob || future->done()) {
    return Damaged(id, "an input belongs to no job");
  }
  future->input = std::move(input);
  future->input_stored = true;
  future->bytes += static_cast<int64_t>(future->input.ByteSize());
  return absl::OkStatus();
}

absl::Status Shard::Impl::RestoreMembers(const FutureId& id, const MembersRecord& members) {
  Future* future = futures_.Find(id.slot);
  if (future == nullptr || future->sequence != id.sequence || !future->cold || !future->cold->combinator) {
    return Damaged(id, "members belong to no future");
  }
  const bool one = future->kind != FutureKind::kGather;
  const bool none = members.members.empty();  // such a gather has ended at once (semantics 43)
  if ((one && members.members.size() != 1) || (none && (!members.positions.empty() || !future->done()))) {
    return Damaged(id, "it has a wrong number of members");
  }
  for (const uint32_t position : members.positions) {
    if (position >= members.members.size()) return Damaged(id, "it gathers a member that it does not have");
  }
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

absl::Status Shard::Impl::Restore(const RequestRecord& record) {
  if (request_ids_.Find(record.ns, record.request_id) != nullptr) {
    return Damaged(record.id, fmt::format("request id \"{}\" is there twice", record.request_id));
  }
  if (IsDone(record.elsewhere_state) != (record.elsewhere_outcome != nullptr)) {
    return Damaged(record.id, "a shield's state and outcome disagree");
  }
  RequestEntry& entry = request_ids_.Add(record.ns, record.request_id);
  entry.id = record.id;
  entry.spec_hash = record.spec_hash;
  entry.window = record.window;
  entry.stored = true;
  if (record.elsewhere_outcome != nullptr) {
    Completion completion;
    completion.id = record.id;
    completion.state = record.elsewhere_state;
    completion.outcome = record.elsewhere_outcome;
    entry.elsewhere = std::move(completion);
  }
  timers_.Add(entry.timer, record.expire_time);
  return absl::OkStatus();
}

void Shard::Impl::Restore(const MarksRecord& marks) {
  saved_marks_ = marks;
  last_completion_ = std::max(last_completion_, marks.last_completion);
}

uint32_t Shard::Impl::FinishRestoring() {
  futures_.FinishPlacing();
  last_sequence_ = std::max(last_sequence_, saved_marks_.last_sequence);
  restored_sequence_ = last_sequence_;
  // The marks stay behind what they are in the rows, so that the next batch writes the raised one: else another crash
  // before anything is recorded would raise the same number once more, to the same.
  if (last_sequence_ > 0) last_completion_ += kCompletionsUnrecorded;
  for (const auto& of_depth : relink_) {
    for (const Future* future : of_depth) {
      if (future->kind != FutureKind::kJob && !future->members_stored) SayDamaged(*future, "its members are missing");
    }
  }
  // Never empty from here to FinishRelinking: a shard without combinators, too, keeps what another's will ask for.
  relink_.resize(std::max<size_t>(relink_.size(), 1));
  return static_cast<uint32_t>(relink_.size() - 1);
}

void Shard::Impl::SayDamaged(const Future& future, const std::string& what) {
  if (damage_.ok()) damage_ = Damaged(IdOf(future), what);
}

void Shard::Impl::Relink(uint32_t depth) {
  if (!damage_.ok() || depth >= relink_.size()) return;
  for (Future* future : relink_[depth]) {
    if (depth == 0) {
      EndWhatCannotRunAgain(*future);
    } else {
      RelinkOne(*future);
    }
  }
}

// It ran when the server stopped. The body is gone; a second one may not start.
void Shard::Impl::EndWhatCannotRunAgain(Future& job) {
  if (job.cancelling > 0) return EndJob(job, Outcome::Cancelled(job.cold ? job.cold->cancel_message : ""));
  Error error;
  error.kind = ErrorKind::kInterrupted;
  error.type = "Interrupted";
  error.message =
      "the server stopped while the job ran, and it may run once only; whether its work was done is not known";
  Complete(job, State::kFailed, Outcome::Failed(std::move(error)));
}

void Shard::Impl::RelinkOne(Future& future) {
  if (future.done() && future.kind != FutureKind::kGather) return;  // it let go of its member when it ended
  Combinator& combinator = future.combinator();
  combinator.relinking = true;
  if (const auto sent = cancels_sent_.find(&future); sent != cancels_sent_.end()) {
    for (const CombinatorRecord::Sent& each : sent->second) {
      if (each.member < combinator.count) combinator.members[each.member].remote.cancels_sent = each.times;
    }
  }
  for (uint32_t at = 0; at < combinator.count; ++at) {
    MemberLink& member = combinator.members[at];
    if (member.id.shard == options_.index) {
      Future* here = FindExact(member.id);
      if (here == nullptr || here == &future) return SayDamaged(future, "a member is missing: " + member.id.ToText());
      if (here->cold && here->cold->combinator && here->combinator().depth >= combinator.depth) {
        return SayDamaged(future, "a member nests as deep: " + member.id.ToText());
      }
      Connect(member, *here);
    } else if (member.id.sequence == 0 || (options_.shards != 0 && member.id.shard >= options_.shards)) {
      return SayDamaged(future, "a member is missing: " + member.id.ToText());
    } else {
      member.remote.in_use = true;
      ++links_;
      ++combinator.unanswered;
      SubscribeTo(member.id, future, at, /*relink=*/true);
    }
  }
  Relinked(future);
}

// Once every member is known again.
void Shard::Impl::Relinked(Future& future) {
  Combinator& combinator = future.combinator();
  if (combinator.unanswered > 0 || !damage_.ok()) return;
  combinator.relinking = false;
  if (combinator.refused_count > 0) {
    return SayDamaged(future, "a member is missing: " + combinator.refused.front().first.ToText());
  }
  if (future.done()) {
    if (!RelinkDoneGather(future)) SayDamaged(future, "it succeeded, and a member is not done");
    return;
  }
  for (uint32_t at = 0; at < combinator.count && !future.done(); ++at) {
    MemberLink& member = combinator.members[at];
    if (IsDone(StateOf(member))) {
      MemberDone(member);  // also what it had been told before
    } else if (member.remote.cancels_sent > 0) {
      SendCancelAgain(future, at);
    }
  }
}

bool Shard::Impl::RelinkDoneGather(Future& gather) {
  Combinator& combinator = gather.combinator();
  for (uint32_t at = 0; at < combinator.count; ++at) {
    MemberLink& member = combinator.members[at];
    member.settled = IsDone(StateOf(member));
    combinator.finished += member.settled;
  }
  if (gather.outcome == nullptr) {
    if (combinator.finished != combinator.count) return false;
    const bool identity = combinator.positions.empty();
    const size_t size = identity ? combinator.count : combinator.positions.size();
    std::vector<OutcomeRef> results;
    results.reserve(size);
    for (size_t at = 0; at < size; ++at) {
      results.push_back(OutcomeOf(combinator.members[identity ? at : combinator.positions[at]]));
      if (results.back() == nullptr) return false;
    }
    gather.outcome = Outcome::Gathered(std::move(results));
    gather.bytes += HeldBytes(*gather.outcome);
  }
  for (uint32_t at = 0; at < combinator.count; ++at) combinator.members[at].remote.outcome = nullptr;
  return true;
}

absl::Status Shard::Impl::FinishRelinking() {
  for (const auto& of_depth : relink_) {
    for (const Future* future : of_depth) {
      const bool open = future->kind != FutureKind::kJob && future->combinator().relinking;
      if (open) SayDamaged(*future, "another shard did not say what became of its members");
    }
  }
  relink_.clear();
  cancels_sent_.clear();
  for (Future& future : created_) {
    if (future.expired && future.pins == 0) Doom(future);
  }
  return damage_;
}

void Shard::Impl::ForEachRestored(const std::function<void(const Changed&)>& visit) const {
  for (const Future& future : created_) {
    if (future.incarnation == options_.incarnation) break;
    Changed changed;
    changed.id = IdOf(future);
    changed.ns = future.ns;
    changed.kind = future.kind;
    changed.function = future.function;
    changed.from = State::kPending;
    changed.to = future.state;
    changed.created = true;
    changed.restored = true;
    if (future.state == State::kFailed) changed.error_kind = future.outcome->error->kind;
    changed.create_time = future.create_time;
    changed.start_time = future.start_time;
    changed.cancel_time = future.cancel_time;
    changed.bytes_held = future.bytes;
    if (future.options() != nullptr) changed.options = future.cold->options;
    visit(changed);
  }
}

bool Shard::Impl::Resume(size_t max) {
  for (; max > 0 && resumed_ < to_resume_.size(); ++resumed_) {
    Future* job = futures_.Find(to_resume_[resumed_]);
    if (job == nullptr || !job->unresumed) continue;
    --max;
    if (!job->done() && job->timer.armed() && job->timer.deadline() <= now_) {
      Disarm(job->timer);
      QueueTimedOut(*job);
    }
    job->unresumed = false;
    if (!job->done()) StartAgain(*job);
  }
  if (resumed_ < to_resume_.size()) return true;
  to_resume_.clear();
  to_resume_.shrink_to_fit();
  resumed_ = 0;
  return false;
}

}  // namespace muster::core
