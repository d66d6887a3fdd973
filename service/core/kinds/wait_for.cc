#include "service/core/kinds/wait_for.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "service/core/completion.h"
#include "service/core/kinds/cancel.h"
#include "service/core/kinds/combinator.h"
#include "service/core/kinds/propagate.h"
#include "service/core/kinds/submission.h"
#include "service/core/record/record.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

std::shared_ptr<const Error> CancelledWith(const std::string& message) { return Outcome::Cancelled(message)->error; }

std::string TimeoutText(const WaitForState& state) {
  return fmt::format("the future was not done within {}", InSeconds(*state.timeout));
}

void SubmitWaitFor(Turn& turn, Submit& command) {
  const WaitForSpec& spec = std::get<WaitForSpec>(command.spec);
  MemberPlan plan;
  if (absl::Status refusal = PlanMembers(turn, command, &spec.inner, 1, plan); !refusal.ok()) {
    return RefuseSubmit(turn, command.token, std::move(refusal));
  }
  WaitForState state;
  state.timeout = spec.timeout;
  state.grace = spec.grace;
  state.polling = spec.timeout && *spec.timeout <= base::Duration::zero();
  MakeCombinator(turn, command, FutureKind::kWaitFor, state, plan);
}

void Begin(Turn& turn, Future& future) {
  WaitForState& state = future.combinator().wait_for();
  if (IsDone(StateOf(future.combinator().members[0]))) {
    state.polling = false;  // its outcome comes through, whatever the timeout
    return;
  }
  if (!state.timeout) return;  // semantics 61
  if (!state.polling) return Arm(turn, future, base::Later(turn.now, *state.timeout));
  // semantics 60: one that has not started never will.
  Arm(turn, future, base::Later(turn.now, state.grace));
  future.cancel_time = turn.now;
  CancelInner(turn, future, "", 1);
}

// What the await of the inner raises or returns, and what the end of the timeout scope makes of it.
void OnInnerDone(Turn& turn, Future& future, MemberLink& inner) {
  if (future.done()) return;
  const std::string& cancel_message = future.combinator().cancel_message;
  WaitForState& state = future.combinator().wait_for();
  MarkRetrieved(inner);
  const OutcomeRef& outcome = OutcomeOf(inner);
  const bool missed = inner.member != nullptr ? state.cancels_passed > 0 && inner.member->cancel_missed
                                              : inner.remote.cancels_taken < inner.remote.cancels_sent;
  if (missed && !state.polling) state.must_cancel = true;
  if (state.expiring && future.cancelling > 0) --future.cancelling;  // the timeout takes its own cancel back
  const bool raises_cancelled = state.must_cancel || outcome->RaisesCancelled();
  if (!raises_cancelled) {
    return Complete(turn, future, StateFor(*outcome), Propagated(outcome, inner.id));  // semantics 58, 59
  }
  const std::shared_ptr<const Error> cause = state.must_cancel && !outcome->RaisesCancelled()
                                                 ? CancelledWith(cancel_message)
                                                 : Propagated(outcome, inner.id)->error;
  if (state.polling || (state.expiring && future.cancelling == 0)) {
    return Complete(turn, future, State::kFailed, TimedOut(ErrorKind::kTimedOut, TimeoutText(state), cause));
  }
  const std::string& message = state.must_cancel ? cancel_message : cause->message;
  Complete(turn, future, State::kCancelled, Outcome::Cancelled(message, cause->origin));
}

// The grace is over: asyncio would wait on, for ever if it must.
void GiveUp(Turn& turn, Future& future) {
  const Combinator& combinator = future.combinator();
  const WaitForState& state = combinator.wait_for();
  const FutureId inner = combinator.members[0].id;
  GraceExpired expired;
  expired.id = turn.futures.IdOf(future);
  expired.inner = inner;
  turn.Emit(std::move(expired));
  if (state.expiring && future.cancelling > 0) --future.cancelling;
  if (future.cancelling > 0) {
    return Complete(turn, future, State::kCancelled, Outcome::Cancelled(combinator.cancel_message));
  }
  const Payload details = Payload::Text(fmt::format("{} is still cancelling", inner.ToText()));
  const std::string message =
      fmt::format("{}, and did not end within {} of being cancelled", TimeoutText(state), InSeconds(state.grace));
  Complete(turn, future, State::kFailed, TimedOut(ErrorKind::kTimedOut, message, nullptr, details));
}

void OnTimerOf(Turn& turn, Future& future) {
  WaitForState& state = future.combinator().wait_for();
  if (state.expiring || state.polling) return GiveUp(turn, future);
  future.cancel_time = std::min(future.cancel_time, turn.now);
  state.expiring = true;
  turn.changes.Mark(future);
  Arm(turn, future, base::Later(turn.now, state.grace));
  CancelFuture(turn, future, "");
}

void CancelStep(Turn& turn, CancelWalk& walk, Future& future, uint32_t times) {
  Combinator& combinator = future.combinator();
  WaitForState& state = combinator.wait_for();
  future.cancelling = AddTimes(future.cancelling, times);
  if (state.polling) {
    // CPython waits for the inner's end through a future of its own here, and cancelling that takes at once.
    return Complete(turn, future, State::kCancelled, Outcome::Cancelled(walk.message));
  }
  if (!walk.message.empty()) combinator.cancel_message = walk.message;
  MemberLink& inner = combinator.members[0];
  if (inner.member == nullptr) {
    SendCancel(turn, walk, future, 0, inner.id, inner.remote, times);
  } else if (PassCancel(walk, *inner.member, times)) {
    state.cancels_passed = AddTimes(state.cancels_passed, times);
  } else {
    state.must_cancel = true;
  }
}

const char* Damage(const FutureRecord& record) {
  if (const char* damage = DamageOfCombinator(record)) return damage;
  const CombinatorRecord& wait_for = *record.combinator;
  if (IsDone(record.state) || wait_for.timeout) return nullptr;
  const bool timed = record.due != base::kNever || wait_for.polling || wait_for.expiring;
  return timed ? "it has no timeout, and ran into one" : nullptr;
}

}  // namespace

const Kind kWaitForKind = {
    .name = "wait_for",
    .combines = true,
    .one_member = true,
    .state = WaitForState(),
    .submit = SubmitWaitFor,
    .timer = OnTimerOf,
    .begin = Begin,
    .member_done = OnInnerDone,
    .cancel = CancelStep,
    .counts_cancels = true,
    .let_go = ReleaseMembers,
    .damage = Damage,
    .check = CheckCombinator,
};

}  // namespace muster::core
