#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

TEST_F(CoreTest, WaitEndsWhenAllAreDone) {
  const FutureId a = Promise(), b = Promise(), c = Promise();
  const Token wait = Wait({a, b, c});
  Settle(b, Text("b"));
  Settle(a, Text("a"));
  EXPECT_FALSE(Ended(wait));
  Settle(c, Text("c"));
  ASSERT_TRUE(Ended(wait));
  EXPECT_EQ(waits.at(wait).end, WaitEnd::kSatisfied);
  EXPECT_THAT(DoneOf(wait), ElementsAre(b, a, c));
  EXPECT_EQ(waits.at(wait).done[0].outcome->value.body(), "b");
  EXPECT_THAT(waits.at(wait).pending, IsEmpty());
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);  // semantics 36
  EXPECT_EQ(shard.Ask(core::GetStats()).waits, 0u);
}

TEST_F(CoreTest, AnEmptySetIsSatisfiedByNothing) {  // semantics 23: whether that is an error is decided over all shards
  const Token wait = Wait({});
  ASSERT_TRUE(Ended(wait));
  EXPECT_EQ(waits.at(wait).end, WaitEnd::kSatisfied);
}

TEST_F(CoreTest, WhatIsNoFutureIsRefusedByName) {  // semantics 25
  const FutureId known = Promise();
  std::vector<FutureId> ids = {known};
  for (int at = 1; at <= 12; ++at) {
    ids.push_back(known);
    ids.back().sequence += at;
  }
  const Token wait = Wait(ids);
  EXPECT_EQ(WhyNot(waits.at(wait).refusal), base::Reason::kFutureNotFound);
  const std::string text(waits.at(wait).refusal.message());
  EXPECT_THAT(text, testing::HasSubstr("12 futures"));
  EXPECT_THAT(text, testing::HasSubstr(ids[10].ToText()));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr(ids[11].ToText())));
  EXPECT_THAT(text, testing::HasSubstr("2 more"));
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

TEST_F(CoreTest, DuplicatesCollapse) {  // semantics 26
  const FutureId a = Promise(), b = Promise();
  const Token wait = Wait({a, b, a, a, b});
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 2u);
  Settle(a, Text(""));
  Settle(b, Text(""));
  EXPECT_THAT(DoneOf(wait), ElementsAre(a, b));
}

TEST_F(CoreTest, ATimeoutReportsAndCancelsNothing) {  // semantics 27
  const FutureId a = Promise(), b = Running();
  const Token wait = Wait({a, b}, ReturnWhen::kAllCompleted, seconds(5));
  Settle(a, Text(""));
  Advance(seconds(5));
  ASSERT_TRUE(Ended(wait));
  EXPECT_EQ(waits.at(wait).end, WaitEnd::kTimedOut);
  EXPECT_THAT(DoneOf(wait), ElementsAre(a));
  EXPECT_THAT(waits.at(wait).pending, ElementsAre(b));
  EXPECT_EQ(StateOf(b), State::kRunning);
  EXPECT_EQ(Get(b).cancelling, 0u);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

TEST_F(CoreTest, ATimeoutOfZeroIsAPoll) {  // semantics 28
  const FutureId a = Promise(), b = Promise();
  Settle(a, Text(""));
  const Token wait = Wait({a, b}, ReturnWhen::kAllCompleted, seconds(0));
  ASSERT_TRUE(Ended(wait));
  EXPECT_EQ(waits.at(wait).end, WaitEnd::kTimedOut);
  EXPECT_THAT(DoneOf(wait), ElementsAre(a));
  EXPECT_THAT(waits.at(wait).pending, ElementsAre(b));
}

TEST_F(CoreTest, APollThatFindsAllDoneIsSatisfied) {  // semantics 28
  const FutureId a = Promise();
  Settle(a, Text(""));
  EXPECT_EQ(waits.at(Wait({a}, ReturnWhen::kAllCompleted, seconds(0))).end, WaitEnd::kSatisfied);
}

TEST_F(CoreTest, FirstCompletedMayReportMoreThanOne) {  // semantics 29
  const FutureId a = Promise(), b = Promise(), c = Promise();
  Settle(b, Text(""));
  Settle(a, Text(""));
  const Token wait = Wait({a, b, c}, ReturnWhen::kFirstCompleted);
  EXPECT_THAT(DoneOf(wait), ElementsAre(b, a));
  EXPECT_THAT(waits.at(wait).pending, ElementsAre(c));
}

TEST_F(CoreTest, FirstCompletedReportsAllThatOneCallEnded) {  // semantics 29
  const FutureId a = Promise(), b = Promise(), c = Promise();
  const Token wait = Wait({a, b, c}, ReturnWhen::kFirstCompleted);
  CancelAll({c, a});
  EXPECT_THAT(DoneOf(wait), ElementsAre(c, a));
}

TEST_F(CoreTest, ACancelledFutureSatisfiesFirstCompleted) {  // semantics 30
  const FutureId a = Promise(), b = Promise();
  const Token wait = Wait({a, b}, ReturnWhen::kFirstCompleted);
  CancelOne(a);
  EXPECT_THAT(DoneOf(wait), ElementsAre(a));
  EXPECT_EQ(waits.at(wait).done[0].state, State::kCancelled);
}

TEST_F(CoreTest, FirstExceptionIgnoresTheCancelled) {  // semantics 31
  const FutureId a = Promise(), b = Promise(), c = Promise();
  const Token wait = Wait({a, b, c}, ReturnWhen::kFirstException);
  CancelOne(a);
  EXPECT_FALSE(Ended(wait));
  Settle(b, Raised("Oops"));
  ASSERT_TRUE(Ended(wait));
  EXPECT_TRUE(waits.at(wait).saw_exception);
  EXPECT_THAT(DoneOf(wait), ElementsAre(a, b));
  EXPECT_THAT(waits.at(wait).pending, ElementsAre(c));
}

// CPython: such a gather is not cancelled(), and its exception() is a CancelledError.
TEST_F(CoreTest, FirstExceptionSeesAGatherWhoseMemberWasCancelled) {  // semantics 31, 48
  const FutureId a = Promise(), b = Promise();
  const FutureId gather = Gather({a});
  const Token wait = Wait({gather, b}, ReturnWhen::kFirstException);
  CancelOne(a);
  EXPECT_TRUE(Ended(wait));
}

TEST_F(CoreTest, FirstExceptionWithoutAnExceptionWaitsForAll) {  // semantics 32
  const FutureId a = Promise(), b = Promise();
  const Token wait = Wait({a, b}, ReturnWhen::kFirstException);
  Settle(a, Text(""));
  EXPECT_FALSE(Ended(wait));
  CancelOne(b);
  ASSERT_TRUE(Ended(wait));
  EXPECT_FALSE(waits.at(wait).saw_exception);
}

TEST_F(CoreTest, AMemberThatHasFailedBeforeSatisfiesFirstExceptionAtOnce) {  // semantics 33
  const FutureId a = Promise(), b = Promise();
  Settle(a, Raised("Oops"));
  EXPECT_TRUE(Ended(Wait({a, b}, ReturnWhen::kFirstException)));
}

TEST_F(CoreTest, AFailureStaysInTheFuture) {  // semantics 34
  const FutureId a = Promise();
  const Token wait = Wait({a});
  Settle(a, Raised("Oops"));
  EXPECT_TRUE(waits.at(wait).refusal.ok());
  EXPECT_EQ(waits.at(wait).done[0].outcome->error->type, "Oops");
}

TEST_F(CoreTest, LeavingAWaitLeavesItsMembersAlone) {  // semantics 35, 36, 98
  const FutureId a = Running();
  const Token wait = Wait({a}, ReturnWhen::kAllCompleted, seconds(5));
  Leave(wait);
  EXPECT_EQ(shard.Ask(core::GetStats()).waits, 0u);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
  EXPECT_EQ(shard.Ask(core::GetStats()).timers, 0u);
  Advance(seconds(10));
  EXPECT_FALSE(Ended(wait));
  EXPECT_EQ(StateOf(a), State::kRunning);
  Leave(wait);
}

TEST_F(CoreTest, OneCompletionTellsEachWaitInTheOrderOfAttaching) {  // semantics 16
  const FutureId a = Promise();
  std::vector<Token> attached;
  for (int at = 0; at < 5; ++at) attached.push_back(Wait({a}));
  out.clear();
  SettlePromise settle;
  settle.token = 999;
  settle.ns = kNs;
  settle.id = a;
  settle.outcome = Text("");
  shard.Apply(std::move(settle), now, out);
  std::vector<Token> told;
  for (const Effect& effect : out) {
    if (const auto* ended = std::get_if<WaitEnded>(&effect)) told.push_back(ended->token);
  }
  EXPECT_EQ(told, attached);
}

TEST_F(CoreTest, AWaitWithoutOutcomesRetrievesNothing) {
  const FutureId a = Promise();
  AttachWait command;
  command.set.ids = {a};
  command.take_outcomes = false;
  const Token wait = Attach(std::move(command));
  Settle(a, Raised("Oops"));
  EXPECT_EQ(waits.at(wait).done.at(0).outcome, nullptr);
  EXPECT_EQ(waits.at(wait).done.at(0).state, State::kFailed);
  Advance(std::chrono::hours(2));
  EXPECT_TRUE(dropped.at(0).unretrieved);
}

TEST_F(CoreTest, AWaitOverAGroupTakesItsMembersAtTheCall) {
  Options options;
  options.group = "g";
  const FutureId a = Job(options), b = Job(options);
  AttachWait command;
  command.set.group = "g";
  const Token wait = Attach(std::move(command));
  Job(options);
  End(a, Text(""));
  End(b, Text(""));
  EXPECT_THAT(DoneOf(wait), ElementsAre(a, b));
}

TEST_F(CoreTest, AWaitOverAnUnknownGroupIsSatisfied) {
  AttachWait command;
  command.set.group = "nobody";
  EXPECT_TRUE(Ended(Attach(std::move(command))));
}

TEST_F(CoreTest, WaitsWithoutATimeoutArmNoTimer) {  // semantics 36
  std::vector<FutureId> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(Promise());
  std::vector<Token> all;
  for (int i = 0; i < 100; ++i) all.push_back(Wait(ids));
  EXPECT_EQ(shard.Ask(core::GetStats()).timers, 0u);
  EXPECT_EQ(shard.NextDeadline(), base::kNever);
  const Token timed = Wait(ids, ReturnWhen::kAllCompleted, seconds(5));
  EXPECT_EQ(shard.NextDeadline(), now + seconds(5));
  for (const FutureId& id : ids) Settle(id, Text(""));
  for (const Token wait : all) ASSERT_EQ(waits.at(wait).done.size(), ids.size());
  EXPECT_TRUE(Ended(timed));
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

TEST_F(CoreTest, TheTimeoutOfAFinishedWaitNeverFires) {  // semantics 36
  const FutureId a = Promise();
  const Token wait = Wait({a}, ReturnWhen::kAllCompleted, seconds(5));
  Settle(a, Text(""));
  Advance(seconds(10));  // the fixture fails if a wait ends twice
  EXPECT_EQ(waits.at(wait).end, WaitEnd::kSatisfied);
}

}  // namespace
}  // namespace muster::core
