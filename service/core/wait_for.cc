// wait_for behaves as a task that runs CPython's `asyncio.wait_for(inner, timeout)` of 3.12 and later: it awaits the
// inner within a timeout scope (semantics 56-62).
#include <fmt/format.h>

#include "service/base/check.h"
#include "service/core/detail/members.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {
namespace {

std::shared_ptr<const Error> CancelledWith(const std::string& message) { return Outcome::Cancelled(message)->error; }

std::string TimeoutText(const Combinator& combinator) {
  return fmt::format("the future was not done within {}", InSeconds(*combinator.timeout));
}

}  // namespace

void Shard::Impl::StartWaitFor(Future& future) {
  Combinator& combinator = future.combinator();
  MemberLink& inner = combinator.members[0];
  if (IsDone(StateOf(inner))) {
    combinator.polling = false;  // its outcome comes through, whatever the timeout
    return;
  }
  if (!combinator.timeout) return;  // semantics 61
  if (!combinator.polling) return Arm(future, base::Later(now_, *combinator.timeout));
  // semantics 60: one that has not started never will.
  Arm(future, base::Later(now_, combinator.grace));
  future.cancel_time = now_;
  CancelInner(future, "", 1);
}

// What the await of the inner raises or returns, and what the end of the timeout scope makes of it.
void Shard::Impl::WaitForInnerDone(Future& future, MemberLink& inner) {
  Combinator& combinator = future.combinator();
  MarkRetrieved(inner);
  const OutcomeRef& outcome = OutcomeOf(inner);
  const bool missed = inner.member != nullptr ? combinator.cancels_passed > 0 && inner.member->cancel_missed
                                              : inner.remote.cancels_taken < inner.remote.cancels_sent;
  if (missed && !combinator.polling) combinator.must_cancel = true;
  if (combinator.expiring && future.cancelling > 0) --future.cancelling;  // the timeout takes its own cancel back
  const bool raises_cancelled = combinator.must_cancel || outcome->RaisesCancelled();
  if (!raises_cancelled) {
    return Complete(future, StateFor(*outcome), Propagated(outcome, inner.id));  // semantics 58, 59
  }
  const std::shared_ptr<const Error> cause = combinator.must_cancel && !outcome->RaisesCancelled()
                                                 ? CancelledWith(combinator.cancel_message)
                                                 : Propagated(outcome, inner.id)->error;
  if (combinator.polling || (combinator.expiring && future.cancelling == 0)) {
    return Complete(future, State::kFailed, TimedOut(ErrorKind::kTimedOut, TimeoutText(combinator), cause));
  }
  const std::string& message = combinator.must_cancel ? combinator.cancel_message : cause->message;
  Complete(future, State::kCancelled, Outcome::Cancelled(message, cause->origin));
}

void Shard::Impl::WaitForTimer(Future& future) {
  Combinator& combinator = future.combinator();
  if (!combinator.expiring && !combinator.polling) {
    future.cancel_time = std::min(future.cancel_time, now_);
    combinator.expiring = true;
    MarkChanged(future);
    Arm(future, base::Later(now_, combinator.grace));
    CancelFuture(future, "");
    return;
  }
  // The grace is over: asyncio would wait on, for ever if it must.
  GraceExpired expired;
  expired.id = IdOf(future);
  expired.inner = combinator.members[0].id;
  Emit(std::move(expired));
  if (combinator.expiring && future.cancelling > 0) --future.cancelling;
  if (future.cancelling > 0) {
    return Complete(future, State::kCancelled, Outcome::Cancelled(combinator.cancel_message));
  }
  const Payload details = Payload::Text(fmt::format("{} is still cancelling", combinator.members[0].id.ToText()));
  Complete(future, State::kFailed,
           TimedOut(ErrorKind::kTimedOut,
                    fmt::format("{}, and did not end within {} of being cancelled", TimeoutText(combinator),
                                InSeconds(combinator.grace)),
                    nullptr, details));
}

}  // namespace muster::core
