#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

TEST_F(CoreTest, WaitForPassesTheOutcomeOn) {
  const FutureId a = Promise(), b = Promise(), c = Promise();
  const FutureId good = WaitFor(a, seconds(5)), bad = WaitFor(b, seconds(5)), cancelled = WaitFor(c, seconds(5));
  Settle(a, Text("1"));
  Settle(b, Raised("Oops"));
  CancelOne(c, "msg");
  EXPECT_EQ(ValueOf(good), "1");
  EXPECT_EQ(ErrorOf(bad).type, "Oops");
  EXPECT_EQ(StateOf(cancelled), State::kCancelled);
  EXPECT_EQ(ErrorOf(cancelled).message, "msg");  // semantics 8
  EXPECT_EQ(ErrorOf(cancelled).origin, c);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

TEST_F(CoreTest, WaitForAFutureThatIsDone) {
  const FutureId a = Promise();
  Settle(a, Text("1"));
  for (base::Duration timeout : {base::Duration(0), base::Duration(seconds(1))}) {
    EXPECT_EQ(ValueOf(WaitFor(a, timeout)), "1");
  }
  CancelOne(Promise());
  const FutureId c = Promise();
  CancelOne(c);
  EXPECT_EQ(StateOf(WaitFor(c, seconds(0))), State::kCancelled);
}

TEST_F(CoreTest, TheTimeoutCancelsAndThenWaits) {  // semantics 56, 57
  const FutureId inner = Running({OnCancel::kEndCancelled, seconds(3)});
  const FutureId outer = WaitFor(inner, seconds(5));
  Advance(seconds(5));
  EXPECT_EQ(cancel_jobs.size(), 1u);
  EXPECT_EQ(StateOf(outer), State::kPending);
  EXPECT_EQ(Get(outer).cancelling, 1u);
  Advance(seconds(3));
  EXPECT_EQ(StateOf(inner), State::kCancelled);
  EXPECT_EQ(StateOf(outer), State::kFailed);
  EXPECT_EQ(ErrorOf(outer).kind, ErrorKind::kTimedOut);
  ASSERT_NE(ErrorOf(outer).cause, nullptr);
  EXPECT_EQ(ErrorOf(outer).cause->kind, ErrorKind::kCancelled);
  EXPECT_EQ(ErrorOf(outer).cause->origin, inner);
  EXPECT_EQ(Get(outer).cancelling, 0u);
}

TEST_F(CoreTest, PastItsGraceWaitForEndsAndSaysThatTheInnerIsCancelling) {  // semantics 56
  const FutureId inner = Running({OnCancel::kIgnore});
  const FutureId outer = WaitFor(inner, seconds(5), seconds(2));
  Advance(seconds(7));
  EXPECT_EQ(StateOf(outer), State::kFailed);
  EXPECT_EQ(ErrorOf(outer).kind, ErrorKind::kTimedOut);
  EXPECT_THAT(ErrorOf(outer).details.body(), testing::HasSubstr("still cancelling"));
  EXPECT_THAT(ErrorOf(outer).details.body(), testing::HasSubstr(inner.ToText()));
  ASSERT_EQ(graces.size(), 1u);
  EXPECT_EQ(graces[0].inner, inner);
  EXPECT_EQ(StateOf(inner), State::kRunning);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

TEST_F(CoreTest, AValueReturnedDespiteTheTimeoutStands) {  // semantics 58
  const FutureId inner = Running({OnCancel::kReturn, seconds(1)});
  const FutureId outer = WaitFor(inner, seconds(5));
  Advance(seconds(6));
  EXPECT_EQ(ValueOf(outer), "swallowed");
  EXPECT_EQ(Get(outer).cancelling, 0u);
}

TEST_F(CoreTest, AnErrorDuringTheCancellationStands) {  // semantics 59
  const FutureId inner = Running({OnCancel::kRaise, seconds(1)});
  const FutureId outer = WaitFor(inner, seconds(5));
  Advance(seconds(6));
  EXPECT_EQ(ErrorOf(outer).type, "CleanupError");
}

TEST_F(CoreTest, ATimeoutOfZeroKeepsTheUnstartedFromStarting) {  // semantics 60
  const FutureId inner = Job();
  const FutureId outer = WaitFor(inner, seconds(0));
  EXPECT_EQ(StateOf(inner), State::kCancelled);
  EXPECT_THAT(withdrawn, ElementsAre(inner));
  EXPECT_EQ(ErrorOf(outer).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(ErrorOf(outer).cause->kind, ErrorKind::kCancelled);
}

TEST_F(CoreTest, ATimeoutBelowZeroCancelsTheRunningAndWaits) {  // semantics 60, 58
  const FutureId a = Running({OnCancel::kEndCancelled, seconds(1)}), b = Running({OnCancel::kReturn, seconds(1)});
  const FutureId timed_out = WaitFor(a, seconds(-1)), swallowed = WaitFor(b, seconds(-1));
  EXPECT_EQ(StateOf(timed_out), State::kPending);
  Advance(seconds(1));
  EXPECT_EQ(ErrorOf(timed_out).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(ValueOf(swallowed), "swallowed");
}

TEST_F(CoreTest, ATimeoutOfZeroHasItsGraceToo) {  // semantics 56, 60
  const FutureId inner = Running({OnCancel::kIgnore});
  const FutureId outer = WaitFor(inner, seconds(0), seconds(2));
  Advance(seconds(2));
  EXPECT_EQ(ErrorOf(outer).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(graces.size(), 1u);
}

// CPython's wait_for(fut, 0) waits for the inner's end through a future of its own, which can be cancelled at once.
TEST_F(CoreTest, CancellingAWaitForWithTimeoutZeroTakesAtOnce) {  // semantics 60, 62
  const FutureId inner = Running({OnCancel::kIgnore});
  const FutureId outer = WaitFor(inner, seconds(0));
  EXPECT_EQ(CancelOne(outer, "now"), CancelEffect::kCancelled);
  EXPECT_EQ(ErrorOf(outer).message, "now");
  EXPECT_EQ(Get(inner).cancelling, 1u) << "from the timeout alone";
}

TEST_F(CoreTest, NoTimeoutIsUnbounded) {  // semantics 61
  const FutureId inner = Promise();
  const FutureId outer = WaitFor(inner, std::nullopt);
  Advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(StateOf(outer), State::kPending);
  Settle(inner, Text("at last"));
  EXPECT_EQ(ValueOf(outer), "at last");
}

TEST_F(CoreTest, CancellingWaitForCancelsTheInner) {  // semantics 62, 8
  const FutureId inner = Running({OnCancel::kEndCancelled, seconds(1)});
  const FutureId outer = WaitFor(inner, seconds(60));
  EXPECT_EQ(CancelOne(outer, "why"), CancelEffect::kRequested);
  EXPECT_EQ(Get(inner).cancelling, 1u);
  EXPECT_EQ(StateOf(outer), State::kPending) << "it waits for the inner's end";
  Advance(seconds(1));
  EXPECT_EQ(StateOf(outer), State::kCancelled);
  EXPECT_EQ(ErrorOf(outer).message, "why");
  EXPECT_EQ(Get(outer).cancelling, 1u);
}

TEST_F(CoreTest, CancellingWaitForOfAPromiseTakesAtOnce) {  // semantics 62
  const FutureId outer = WaitFor(Promise(), seconds(60));
  EXPECT_EQ(CancelOne(outer), CancelEffect::kCancelled);
  EXPECT_EQ(StateOf(outer), State::kCancelled);
}

TEST_F(CoreTest, ACancelAndTheTimeoutTogetherAreACancel) {  // semantics 63
  const FutureId inner = Running({OnCancel::kIgnore});
  const FutureId outer = WaitFor(inner, seconds(5), seconds(100));
  Advance(seconds(4));
  CancelOne(outer, "mine");
  Advance(seconds(1));
  EXPECT_EQ(Get(outer).cancelling, 2u);
  EXPECT_EQ(Get(inner).cancelling, 2u);
  End(inner, Outcome::Cancelled("mine"));
  EXPECT_EQ(StateOf(outer), State::kCancelled);
  EXPECT_EQ(Get(outer).cancelling, 1u);
}

TEST_F(CoreTest, ACancelledWaitForEndsAtItsGraceAsCancelled) {  // semantics 56, 63
  const FutureId inner = Running({OnCancel::kIgnore});
  const FutureId outer = WaitFor(inner, seconds(5), seconds(2));
  CancelOne(outer, "mine");
  Advance(seconds(7));
  EXPECT_EQ(StateOf(outer), State::kCancelled);
  EXPECT_EQ(ErrorOf(outer).message, "mine");
  EXPECT_EQ(graces.size(), 1u);
}

TEST_F(CoreTest, AWaitForOfAGatherThatRaisesCancelledIsCancelled) {  // semantics 48, 62
  const FutureId member = Promise();
  const FutureId outer = WaitFor(Gather({member}), seconds(5));
  CancelOne(member, "msg");
  EXPECT_EQ(StateOf(outer), State::kCancelled) << "a task whose body raises cancelled is cancelled";
  EXPECT_EQ(ErrorOf(outer).origin, member);
}

TEST_F(CoreTest, WaitForOfAShieldTimesOutAtOnceAndKeepsTheInner) {  // semantics 53, 57
  const FutureId inner = Running();
  const FutureId outer = WaitFor(Shield(inner), seconds(5));
  Advance(seconds(5));
  EXPECT_EQ(ErrorOf(outer).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(StateOf(inner), State::kRunning);
  EXPECT_EQ(Get(inner).cancelling, 0u);
}

TEST_F(CoreTest, TheInnerTimeoutOfTwoFires) {  // semantics 64
  const FutureId job = Running();
  const FutureId inner = WaitFor(job, seconds(3));
  const FutureId outer = WaitFor(inner, seconds(5));
  Advance(seconds(3));
  EXPECT_EQ(ErrorOf(inner).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(ErrorOf(outer).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(ErrorOf(outer).origin, inner);
  EXPECT_EQ(Get(inner).cancelling, 0u);
}

TEST_F(CoreTest, TheOuterTimeoutOfTwoFires) {  // semantics 64
  const FutureId job = Running();
  const FutureId inner = WaitFor(job, seconds(5));
  const FutureId outer = WaitFor(inner, seconds(3));
  Advance(seconds(3));
  EXPECT_EQ(StateOf(inner), State::kCancelled);
  EXPECT_EQ(ErrorOf(outer).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(Get(outer).cancelling, 0u);
}

TEST_F(CoreTest, TwoTimeoutsAtOneInstantBothFireAndTheInnerWins) {  // semantics 64
  const FutureId job = Running();
  const FutureId inner = WaitFor(job, seconds(5));
  const FutureId outer = WaitFor(inner, seconds(5));
  Advance(seconds(5));
  EXPECT_EQ(ErrorOf(inner).kind == ErrorKind::kTimedOut, StateOf(inner) == State::kFailed);
  EXPECT_EQ(ErrorOf(outer).kind, ErrorKind::kTimedOut);
  ExpectNothingLeft();
}

}  // namespace
}  // namespace muster::core
