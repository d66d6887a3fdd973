#include "service/core/kinds/gather.h"

#include <utility>
#include <variant>
#include <vector>

#include "service/base/check.h"
#include "service/core/completion.h"
#include "service/core/kinds/cancel.h"
#include "service/core/kinds/combinator.h"
#include "service/core/kinds/submission.h"
#include "service/core/record/record.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

void SubmitGather(Turn& turn, Submit& command) {
  const GatherSpec& spec = std::get<GatherSpec>(command.spec);
  MemberPlan plan;
  if (absl::Status refusal = PlanMembers(turn, command, spec.members.data(), spec.members.size(), plan);
      !refusal.ok()) {
    return RefuseSubmit(turn, command.token, std::move(refusal));
  }
  GatherState state;
  state.return_exceptions = spec.return_exceptions;
  MakeCombinator(turn, command, FutureKind::kGather, state, plan);
}

// semantics 43
void Begin(Turn& turn, Future& gather) {
  if (gather.combinator().count == 0) Complete(turn, gather, State::kSucceeded, Outcome::Gathered({}));
}

// Whether a cancel that went to members elsewhere took at one of them, as far as is known. `settled_only`: one whose
// member has not answered does not count.
bool TookElsewhere(const Combinator& combinator, bool settled_only) {
  for (uint32_t at = 0; at < combinator.count; ++at) {
    const MemberLink& member = combinator.members[at];
    if (member.settled || settled_only ? member.remote.cancels_taken > 0 : member.remote.cancels_sent > 0) return true;
  }
  return false;
}

// A cancelled member is as if it had raised; the gather itself is then failed, not cancelled (semantics 46, 48).
void FailWith(Turn& turn, Future& gather, const MemberLink& member) {
  Error error = *OutcomeOf(member)->error;
  if (!error.origin) error.origin = member.id;
  if (StateOf(member) == State::kCancelled) error.kind = ErrorKind::kCancelled;
  const Combinator& combinator = gather.combinator();
  const GatherState& state = combinator.gather();
  gather.cancel_missed =
      state.cancel_in_doubt && !state.cancel_requested && !TookElsewhere(combinator, /*settled_only=*/false);
  Complete(turn, gather, State::kFailed, Outcome::Failed(std::move(error)));
}

// semantics 50. The message is that of the last in the input, as in CPython.
OutcomeRef CancelledWithLast(const Combinator& combinator) {
  const MemberLink& last =
      combinator.members[combinator.positions.empty() ? combinator.count - 1 : combinator.positions.back()];
  Error error;
  error.kind = ErrorKind::kCancelled;
  error.type = "CancelledError";
  if (StateOf(last) == State::kCancelled) {
    error = *OutcomeOf(last)->error;
    if (!error.origin) error.origin = last.id;
  }
  return Outcome::Failed(std::move(error));
}

// Every member is done.
void End(Turn& turn, Future& gather) {
  const Combinator& combinator = gather.combinator();
  const GatherState& state = combinator.gather();
  const bool cancelled =
      state.cancel_requested || (state.cancel_in_doubt && TookElsewhere(combinator, /*settled_only=*/true));
  gather.cancel_missed = state.cancel_in_doubt && !cancelled;
  if (cancelled) return Complete(turn, gather, State::kFailed, CancelledWithLast(combinator));
  Complete(turn, gather, State::kSucceeded, Outcome::Gathered(ResultsOf(combinator)));
}

void OnMemberDone(Turn& turn, Future& gather, MemberLink& member) {
  Combinator& combinator = gather.combinator();
  ++combinator.finished;
  MarkRetrieved(member);  // also when the gather has ended by another member's failure
  if (gather.done()) {
    member.remote.outcome = nullptr;
    return;
  }
  const State state = StateOf(member);
  if (!combinator.gather().return_exceptions && (state == State::kCancelled || state == State::kFailed)) {
    return FailWith(turn, gather, member);
  }
  if (combinator.finished == combinator.count) End(turn, gather);
}

// semantics 49: every unfinished position, a duplicate as often as it stands there.
void CancelStep(Turn& turn, CancelWalk& walk, Future& gather, uint32_t times) {
  Combinator& combinator = gather.combinator();
  for (uint32_t at = combinator.count; at-- > 0;) {
    MemberLink& member = combinator.members[at];
    const uint32_t member_times = MultiplyTimes(times, member.times);
    if (member.member != nullptr) {
      if (PassCancel(walk, *member.member, member_times)) combinator.gather().cancel_requested = true;
    } else if (!member.settled) {
      combinator.gather().cancel_in_doubt = true;
      combinator.cancel_message = walk.message;
      SendCancel(turn, walk, gather, at, member.id, member.remote, member_times);
    }
  }
}

bool IsCancellable(const Future& gather) {
  const Combinator& combinator = gather.combinator();
  for (uint32_t at = 0; at < combinator.count; ++at) {
    const MemberLink& member = combinator.members[at];
    if (member.member != nullptr ? !member.member->done() : !member.settled) return true;
  }
  return false;
}

const char* Damage(const FutureRecord& record) {
  if (const char* damage = DamageOfCombinator(record)) return damage;
  return IsDone(record.state) || record.due == base::kNever ? nullptr : "it has no timeout, and ran into one";
}

void Check(const Future& gather) {
  CheckCombinator(gather);
  const Combinator& combinator = gather.combinator();
  uint32_t settled = 0;
  for (uint32_t at = 0; at < combinator.count; ++at) settled += combinator.members[at].settled;
  MUSTER_CHECK_EQ(settled, combinator.finished);
  MUSTER_CHECK(gather.done() || !gather.announced || settled < combinator.count) << "a gather was not ended";
}

}  // namespace

const Kind kGatherKind = {
    .name = "gather",
    .combines = true,
    .keeps_members = true,
    .state = GatherState(),
    .submit = SubmitGather,
    .begin = Begin,
    .member_done = OnMemberDone,
    .cancel = CancelStep,
    .cancellable = IsCancellable,
    .damage = Damage,
    .check = Check,
};

std::vector<OutcomeRef> ResultsOf(const Combinator& gather) {
  const bool identity = gather.positions.empty();
  const size_t size = identity ? gather.count : gather.positions.size();
  std::vector<OutcomeRef> results;
  results.reserve(size);
  for (size_t at = 0; at < size; ++at) {
    results.push_back(OutcomeOf(gather.members[identity ? at : gather.positions[at]]));
  }
  return results;
}

}  // namespace muster::core
