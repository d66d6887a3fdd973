#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

TEST_F(CoreTest, APromiseIsSettledFromOutside) {  // semantics 13
  const FutureId id = Promise();
  EXPECT_EQ(StateOf(id), State::kPending);
  EXPECT_EQ(Get(id).outcome, nullptr);  // semantics 1
  const PromiseSettled answer = Settle(id, Text("hello"));
  EXPECT_TRUE(answer.refusal.ok());
  EXPECT_EQ(answer.state, State::kSucceeded);
  EXPECT_EQ(ValueOf(id), "hello");
  EXPECT_EQ(StateOf(Promise()), State::kPending);
}

TEST_F(CoreTest, APromiseCanFail) {
  const FutureId id = Promise();
  EXPECT_EQ(Settle(id, Raised("KeyError")).state, State::kFailed);
  EXPECT_EQ(ErrorOf(id).type, "KeyError");
}

TEST_F(CoreTest, SettlingWhatIsDoneIsRefused) {  // semantics 2
  const FutureId id = Promise();
  Settle(id, Text("first"));
  const PromiseSettled again = Settle(id, Raised("Second"));
  EXPECT_EQ(WhyNot(again.refusal), base::Reason::kAlreadyDone);
  EXPECT_EQ(again.state, State::kSucceeded);
  EXPECT_EQ(ValueOf(id), "first");
}

TEST_F(CoreTest, TheSameSettleAgainIsFine) {
  const FutureId id = Promise();
  EXPECT_TRUE(Settle(id, Text("first"), "r1").refusal.ok());
  const PromiseSettled again = Settle(id, Text("first"), "r1");
  EXPECT_TRUE(again.refusal.ok());
  EXPECT_EQ(again.state, State::kSucceeded);
  EXPECT_EQ(WhyNot(Settle(id, Text("other"), "r2").refusal), base::Reason::kAlreadyDone);
  EXPECT_EQ(WhyNot(Settle(id, Text("other")).refusal), base::Reason::kAlreadyDone);
}

TEST_F(CoreTest, ACancelledPromiseCannotBeSettledByARequestItNeverSaw) {
  const FutureId id = Promise();
  CancelOne(id);
  EXPECT_EQ(WhyNot(Settle(id, Text("late"), "r1").refusal), base::Reason::kAlreadyDone);
}

TEST_F(CoreTest, ACancelledFutureHasACancellationForAnOutcome) {  // semantics 3
  const FutureId id = Promise();
  CancelOne(id, "enough");
  EXPECT_EQ(StateOf(id), State::kCancelled);
  EXPECT_EQ(Get(id).outcome->kind, Outcome::Kind::kCancelled);
  EXPECT_TRUE(Get(id).outcome->RaisesCancelled());
  EXPECT_EQ(ErrorOf(id).message, "enough");
}

TEST_F(CoreTest, AnUnretrievedFailureIsReportedOnce) {  // semantics 19
  const FutureId unseen = Promise();
  const FutureId seen = Promise();
  const FutureId waited = Promise();
  const FutureId looked_at = Promise();
  const FutureId taken = Promise();
  const FutureId left = Promise();
  const FutureId cancelled = Promise();
  for (FutureId id : {unseen, seen, waited, looked_at, taken, left}) Settle(id, Raised("Oops"));
  CancelOne(cancelled);
  EXPECT_TRUE(test::Get(shard, kNs, seen, true).ok());
  EXPECT_TRUE(test::Get(shard, kNs, looked_at, false).ok());
  EXPECT_NE(test::TakeOutcome(shard, kNs, taken, true), nullptr);
  EXPECT_EQ(test::TakeOutcome(shard, kNs, left, false), nullptr);
  Wait({waited});
  Advance(std::chrono::hours(2));
  std::vector<FutureId> reported;
  for (const Dropped& drop : dropped) {
    if (drop.unretrieved) reported.push_back(drop.id);
  }
  EXPECT_THAT(reported, UnorderedElementsAre(unseen, looked_at, left));
  EXPECT_EQ(dropped.size(), 7u);
}

TEST_F(CoreTest, AFailureThatPassedThroughACombinatorCountsAsRetrieved) {  // semantics 19
  const FutureId a = Promise();
  const FutureId b = Promise();
  const FutureId late = Promise();
  Gather({a, late});
  const FutureId outer = WaitFor(b, std::nullopt);
  Settle(a, Raised("Oops"));
  Settle(b, Raised("Oops"));
  Settle(late, Raised("Oops"));  // the gather has ended, and still looks at it, as CPython's does
  EXPECT_EQ(StateOf(outer), State::kFailed);
  Advance(std::chrono::hours(3));
  for (const Dropped& drop : dropped) {
    EXPECT_EQ(drop.unretrieved, drop.id != a && drop.id != b && drop.id != late) << drop.id.ToText();
  }
  EXPECT_EQ(dropped.size(), 5u);
}

}  // namespace
}  // namespace muster::core
