// gather and shield, and what all combinators share: finding their members, here and in other shards, and answering the
// submit once all of those are known.
#include <fmt/format.h>

#include "service/base/check.h"
#include "service/core/detail/members.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {
namespace {

struct IdHash {
  size_t operator()(const FutureId& id) const { return std::hash<FutureId>()(id); }
};

uint32_t DepthOf(const Future& future) {
  return future.cold && future.cold->combinator ? future.cold->combinator->depth : 0;
}

}  // namespace

OutcomeRef Propagated(const OutcomeRef& outcome, const FutureId& from) {
  if (outcome->error == nullptr || outcome->error->origin) return outcome;
  Error error = *outcome->error;
  error.origin = from;
  auto propagated = std::make_shared<Outcome>(*outcome);
  propagated->error = std::make_shared<const Error>(std::move(error));
  return propagated;
}

OutcomeRef TimedOut(ErrorKind kind, std::string message, std::shared_ptr<const Error> cause, Payload details) {
  Error error;
  error.kind = kind;
  error.type = "TimeoutError";
  error.message = std::move(message);
  error.cause = std::move(cause);
  error.details = std::move(details);
  return Outcome::Failed(std::move(error));
}

std::string InSeconds(base::Duration duration) {
  return fmt::format("{} s", std::chrono::duration<double>(duration).count());
}

// The members of a combinator to be, duplicates collapsed.
struct Shard::Impl::Plan {
  struct Member {
    FutureId id;
    Future* here = nullptr;  // null: in another shard
    uint32_t times = 1;
  };
  std::vector<Member> members;
  std::vector<uint32_t> positions;
  uint32_t depth = 1;
};

absl::Status Shard::Impl::PlanMembers(const core::Submit& command, Plan& plan) {
  const GatherSpec* gather = std::get_if<GatherSpec>(&command.spec);
  const ShieldSpec* shield = std::get_if<ShieldSpec>(&command.spec);
  const FutureId* input =
      gather ? gather->members.data() : (shield ? &shield->inner : &std::get<WaitForSpec>(command.spec).inner);
  const size_t count = gather ? gather->members.size() : 1;

  std::vector<std::pair<FutureId, int>> missing;
  size_t missing_count = 0;
  absl::flat_hash_map<FutureId, uint32_t, IdHash> elsewhere;
  const uint64_t first_stamp = last_stamp_ + 1;  // member i is stamped first_stamp + i
  plan.positions.reserve(count);
  for (size_t at = 0; at < count; ++at) {
    const FutureId& id = input[at];
    const uint32_t next = static_cast<uint32_t>(plan.members.size());
    uint32_t position = next;
    Future* here = nullptr;
    base::Reason why = base::Reason::kFutureNotFound;
    bool found = false;
    if (id.shard == options_.index) {
      here = Find(command.ns, id);
      found = here != nullptr;
      if (!found) {
        why = WhyMissing(command.ns, id);
      } else if (here->stamp >= first_stamp) {
        position = static_cast<uint32_t>(here->stamp - first_stamp);
      } else {
        here->stamp = ++last_stamp_;
        plan.depth = std::max(plan.depth, DepthOf(*here) + 1);
      }
    } else {
      found = id.sequence != 0 && id.ns_tag == command.ns_tag && (options_.shards == 0 || id.shard < options_.shards);
      if (found) {
        position = elsewhere.emplace(id, next).first->second;
        if (position == next) ++last_stamp_;
      }
    }
    if (!found) {
      if (missing.size() < kMissingNamed) missing.emplace_back(id, static_cast<int>(why));
      ++missing_count;
    } else if (position == next) {
      plan.members.push_back({id, here, 1});
    } else {
      ++plan.members[position].times;
    }
    plan.positions.push_back(position);
  }
  if (missing_count > 0) return RefuseMissing(missing, missing_count);
  if (plan.members.size() == count) plan.positions.clear();
  return CheckDepth(plan.depth);
}

absl::Status Shard::Impl::CheckDepth(uint32_t depth) const {
  if (depth <= options_.nesting_max) return absl::OkStatus();
  return base::Refuse(
      base::Reason::kNestingTooDeep,
      fmt::format("combinators would nest {} deep; at most {} are allowed: gather the inner futures directly", depth,
                  options_.nesting_max),
      "future");
}

void Shard::Impl::SubmitCombinator(core::Submit& command) {
  Plan plan;
  const absl::Status refusal = PlanMembers(command, plan);
  if (!refusal.ok()) {
    Submitted answer;
    answer.token = command.token;
    answer.refusal = refusal;
    return Emit(std::move(answer));
  }
  const FutureKind kind = static_cast<FutureKind>(command.spec.index());
  if (kind == FutureKind::kShield && plan.members[0].here != nullptr && plan.members[0].here->done()) {
    return AnswerShieldOfDone(command, *plan.members[0].here);
  }
  Future& future = NewFuture(command, kind);
  Cold& cold = ColdOf(future);
  cold.combinator = std::make_unique<Combinator>();
  if (const GatherSpec* gather = std::get_if<GatherSpec>(&command.spec)) {
    cold.combinator->return_exceptions = gather->return_exceptions;
  } else if (const WaitForSpec* wait_for = std::get_if<WaitForSpec>(&command.spec)) {
    cold.combinator->timeout = wait_for->timeout;
    cold.combinator->grace = wait_for->grace;
    cold.combinator->polling = wait_for->timeout && *wait_for->timeout <= base::Duration::zero();
  }
  BuildMembers(future, plan);
  AddAsker(future, command.token, command.attach);
  Answered(future);
}

// semantics 55: the answer is the inner itself.
void Shard::Impl::AnswerShieldOfDone(core::Submit& command, Future& inner) {
  if (command.options && !command.options->request_id.empty()) {
    RequestEntry& entry = request_ids_.Add(command.ns, std::string(command.options->request_id));
    entry.future = &inner;
    entry.id = IdOf(inner);
    entry.spec_hash = command.spec_hash;
    entry.window = std::max(options_.request_id_window, command.options->request_id_ttl);
    ColdOf(inner).requests.PushBack(entry);
    MarkChanged(inner);
  }
  AnswerSubmit(inner, command.token, command.attach, false);
}

int64_t Shard::Impl::SizeOfMembers(const Combinator& combinator) {
  return static_cast<int64_t>(combinator.count * sizeof(MemberLink) + combinator.positions.size() * sizeof(uint32_t));
}

void Shard::Impl::BuildMembers(Future& future, const Plan& plan) {
  Combinator& combinator = future.combinator();
  combinator.count = static_cast<uint32_t>(plan.members.size());
  combinator.depth = plan.depth;
  combinator.positions = plan.positions;
  combinator.members.reset(new MemberLink[combinator.count]);
  future.bytes += SizeOfMembers(combinator);
  for (uint32_t at = 0; at < combinator.count; ++at) {
    MemberLink& member = combinator.members[at];
    member.combinator = &future;
    member.id = plan.members[at].id;
    member.times = plan.members[at].times;
    if (plan.members[at].here != nullptr) {
      Connect(member, *plan.members[at].here);
    } else {
      member.remote.in_use = true;
      ++links_;
      ++combinator.unanswered;
      SubscribeTo(member.id, future, at, /*relink=*/false);
    }
  }
}

void Shard::Impl::AddAsker(Future& combinator, Token token, bool attach) {
  combinator.combinator().askers.push_back({token, attach});
  if (!attach) return;
  ++calls_;
  Open(token, Opened::Kind::kCall, &combinator);
}

// Whether all members are known decides if the submit can be answered.
void Shard::Impl::Answered(Future& future) {
  Combinator& combinator = future.combinator();
  if (combinator.unanswered > 0) return;
  if (combinator.refused_count > 0) {
    RefuseAskers(future, RefuseMissing(combinator.refused, combinator.refused_count));
    return Discard(future);
  }
  if (absl::Status deep = CheckDepth(combinator.depth); !deep.ok()) {
    RefuseAskers(future, deep);
    return Discard(future);
  }
  if (future.kind == FutureKind::kShield && IsDone(combinator.members[0].remote.state)) {
    AnswerShieldOfDoneElsewhere(future);
    return Discard(future);
  }
  Announce(future);
  Evaluate(future);
  const bool drop = future.drop_when_delivered;
  bool repeated = false;
  bool attached = false;
  for (const Asker& asker : std::exchange(combinator.askers, {})) {
    if (asker.attach) {  // AttachCall opens it again, as a call of a future that all can see
      open_.erase(asker.token);
      --calls_;
    }
    AnswerSubmit(future, asker.token, asker.attach, repeated);
    repeated = true;
    attached = attached || asker.attach;
  }
  if (drop && !attached) {
    future.drop_when_delivered = false;
    future.retention = options_.undelivered_retention;
    if (future.done()) Arm(future, base::Later(future.end_time, future.retention));
    MarkChanged(future);
  }
}

void Shard::Impl::RefuseAskers(Future& future, const absl::Status& refusal) {
  for (const Asker& asker : std::exchange(future.combinator().askers, {})) {
    if (asker.attach) {
      open_.erase(asker.token);
      --calls_;
    }
    Submitted answer;
    answer.token = asker.token;
    answer.refusal = refusal;
    Emit(std::move(answer));
  }
}

void Shard::Impl::AnswerShieldOfDoneElsewhere(Future& shield) {
  const MemberLink& inner = shield.combinator().members[0];
  Completion completion;
  completion.id = inner.id;
  completion.state = inner.remote.state;
  completion.outcome = inner.remote.outcome;
  bool repeated = false;
  for (const Asker& asker : std::exchange(shield.combinator().askers, {})) {
    Submitted answer;
    answer.token = asker.token;
    answer.id = inner.id;
    answer.state = inner.remote.state;
    answer.deduplicated = std::exchange(repeated, true);
    Emit(std::move(answer));
    if (!asker.attach) continue;
    open_.erase(asker.token);
    --calls_;
    CallEnded ended;
    ended.token = asker.token;
    ended.completion = completion;
    Emit(std::move(ended));
  }
  while (RequestEntry* entry = shield.cold->requests.PopFront()) {
    entry->future = nullptr;
    entry->id = inner.id;
    entry->elsewhere = completion;
    timers_.Add(entry->timer, base::Later(now_, entry->window));
    MarkChanged(*entry);
  }
}

// It never was: no effect says a word of it.
void Shard::Impl::Discard(Future& future) {
  ReleaseMembers(future);
  while (RequestEntry* entry = future.cold->requests.PopFront()) ForgetRequest(*entry);
  Expire(future);
}

// Members that were done before, in the order of the input, as CPython's gather looks at them.
void Shard::Impl::Evaluate(Future& future) {
  Combinator& combinator = future.combinator();
  if (future.kind == FutureKind::kWaitFor) StartWaitFor(future);
  if (future.kind == FutureKind::kGather && combinator.count == 0) {
    return Complete(future, State::kSucceeded, Outcome::Gathered({}));  // semantics 43
  }
  for (uint32_t at = 0; at < combinator.count; ++at) {
    if (IsDone(StateOf(combinator.members[at]))) MemberDone(combinator.members[at]);
  }
}

void Shard::Impl::MemberDone(MemberLink& member) {
  Future& future = *member.combinator;
  if (!future.announced || member.settled) return;
  member.settled = true;
  if (future.kind == FutureKind::kGather) return GatherMemberDone(future, member);
  if (future.done()) return;
  if (future.kind == FutureKind::kShield) return ShieldInnerDone(future, member);
  WaitForInnerDone(future, member);
}

void Shard::Impl::GatherMemberDone(Future& gather, MemberLink& member) {
  Combinator& combinator = gather.combinator();
  ++combinator.finished;
  MarkRetrieved(member);  // also when the gather has ended by another member's failure
  if (gather.done()) {
    member.remote.outcome = nullptr;
    return;
  }
  const State state = StateOf(member);
  const bool ended = combinator.finished == combinator.count;
  if (!combinator.return_exceptions && (state == State::kCancelled || state == State::kFailed)) {
    // A cancelled member is as if it had raised; the gather itself is then failed, not cancelled (semantics 46, 48).
    const Error& raised = *OutcomeOf(member)->error;
    Error error = raised;
    if (!error.origin) error.origin = member.id;
    if (state == State::kCancelled) error.kind = ErrorKind::kCancelled;
    bool took = combinator.cancel_requested;
    for (uint32_t at = 0; combinator.cancel_in_doubt && !took && at < combinator.count; ++at) {
      const MemberLink& other = combinator.members[at];
      took = other.settled ? other.remote.cancels_taken > 0 : other.remote.cancels_sent > 0;
    }
    gather.cancel_missed = combinator.cancel_in_doubt && !took;
    return Complete(gather, State::kFailed, Outcome::Failed(std::move(error)));
  }
  if (ended) EndGather(gather);
}

void Shard::Impl::EndGather(Future& gather) {
  Combinator& combinator = gather.combinator();
  bool cancelled = combinator.cancel_requested;
  for (uint32_t at = 0; combinator.cancel_in_doubt && at < combinator.count; ++at) {
    cancelled = cancelled || combinator.members[at].remote.cancels_taken > 0;
  }
  gather.cancel_missed = combinator.cancel_in_doubt && !cancelled;
  const bool identity = combinator.positions.empty();
  const size_t size = identity ? combinator.count : combinator.positions.size();
  if (cancelled) {
    // semantics 50. The message is that of the last in the input, as in CPython.
    const MemberLink& last = combinator.members[identity ? combinator.count - 1 : combinator.positions.back()];
    Error error;
    error.kind = ErrorKind::kCancelled;
    error.type = "CancelledError";
    if (StateOf(last) == State::kCancelled) {
      error = *OutcomeOf(last)->error;
      if (!error.origin) error.origin = last.id;
    }
    return Complete(gather, State::kFailed, Outcome::Failed(std::move(error)));
  }
  std::vector<OutcomeRef> results;
  results.reserve(size);
  for (size_t at = 0; at < size; ++at) {
    results.push_back(OutcomeOf(combinator.members[identity ? at : combinator.positions[at]]));
  }
  Complete(gather, State::kSucceeded, Outcome::Gathered(std::move(results)));
}

void Shard::Impl::ShieldInnerDone(Future& shield, MemberLink& inner) {
  MarkRetrieved(inner);
  if (StateOf(inner) == State::kCancelled) {
    // semantics 54. Without the inner's message, as in CPython; the origin leads to it.
    return Complete(shield, State::kCancelled, Outcome::Cancelled("", inner.id));
  }
  Complete(shield, StateOf(inner), Propagated(OutcomeOf(inner), inner.id));
}

void Shard::Impl::ReleaseMembers(Future& future) {
  Combinator& combinator = future.combinator();
  for (uint32_t at = 0; at < combinator.count; ++at) {
    MemberLink& member = combinator.members[at];
    Release(member);
    if (!member.remote.in_use) continue;
    member.remote.in_use = false;
    --links_;
    UnsubscribeFrom(member.id, IdOf(future), at, future.ns);
  }
}

}  // namespace muster::core
