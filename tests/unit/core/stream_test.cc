#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

TEST_F(CoreTest, AnEmptyStreamEndsAtOnce) {  // semantics 37
  const Token stream = Stream({});
  EXPECT_EQ(streams.at(stream).members, 0u);
  EXPECT_THAT(ready, ElementsAre(stream));
  EXPECT_THAT(Take(stream), IsEmpty());
  EXPECT_TRUE(status.ended);
  EXPECT_EQ(shard.Ask(core::GetStats()).streams, 0u);
}

TEST_F(CoreTest, CompletionsComeInOrderAndOnce) {  // semantics 38, 39
  const FutureId a = Promise(), b = Promise(), c = Promise();
  Settle(c, Text("c"));
  const Token stream = Stream({a, b, c, b});
  EXPECT_EQ(streams.at(stream).members, 3u);
  EXPECT_THAT(Take(stream), ElementsAre(c));
  EXPECT_EQ(taken[0].outcome->value.body(), "c");
  EXPECT_EQ(status.remaining, 2u);
  EXPECT_FALSE(status.ended);
  Settle(b, Text("b"));
  Settle(a, Raised("Oops"));
  EXPECT_THAT(Take(stream), ElementsAre(b, a));
  EXPECT_TRUE(status.ended);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
  EXPECT_THAT(Take(stream), IsEmpty());
  EXPECT_TRUE(status.ended);
}

TEST_F(CoreTest, TheReaderIsToldOnceUntilItFoundNothing) {
  const FutureId a = Promise(), b = Promise(), c = Promise(), d = Promise();
  const Token stream = Stream({a, b, c, d});
  EXPECT_THAT(ready, IsEmpty());
  Settle(a, Text(""));
  Settle(b, Text(""));
  EXPECT_THAT(ready, ElementsAre(stream));
  EXPECT_THAT(Take(stream, 1), ElementsAre(a));
  Settle(c, Text(""));
  EXPECT_THAT(ready, ElementsAre(stream)) << "the reader has more to take and knows it";
  EXPECT_THAT(Take(stream), ElementsAre(b, c));
  Settle(d, Text(""));
  EXPECT_THAT(ready, ElementsAre(stream, stream));
}

TEST_F(CoreTest, TheTimeoutComesAfterWhatWasDone) {  // semantics 40, 41
  const FutureId a = Promise(), b = Running(), c = Promise();
  const Token stream = Stream({a, b, c}, seconds(5));
  Settle(c, Text(""));
  Settle(a, Text(""));
  Advance(seconds(5));
  EXPECT_THAT(Take(stream, 1), ElementsAre(c));
  EXPECT_FALSE(status.timed_out);
  EXPECT_THAT(Take(stream, 1), ElementsAre(a));
  EXPECT_TRUE(status.timed_out);
  EXPECT_FALSE(status.ended);
  EXPECT_EQ(status.remaining, 1u);
  EXPECT_EQ(StateOf(b), State::kRunning);
  EXPECT_EQ(shard.Ask(core::GetStats()).streams, 0u);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

TEST_F(CoreTest, WhatCompletesAfterTheDeadlineIsNotDelivered) {  // semantics 40
  const FutureId a = Promise();
  const Token stream = Stream({a}, seconds(5));
  Advance(seconds(5));
  Settle(a, Text(""));
  EXPECT_THAT(Take(stream), IsEmpty());
  EXPECT_TRUE(status.timed_out);
}

TEST_F(CoreTest, ADeadlineThatHasPassedDeliversWhatIsThere) {  // semantics 40
  const FutureId a = Promise(), b = Promise();
  Settle(a, Text(""));
  const Token stream = Stream({a, b}, seconds(0));
  EXPECT_THAT(Take(stream), ElementsAre(a));
  EXPECT_TRUE(status.timed_out);
}

TEST_F(CoreTest, AStreamThatIsCompleteNeverTimesOut) {  // semantics 40
  const FutureId a = Promise();
  const Token stream = Stream({a}, seconds(5));
  Settle(a, Text(""));
  Advance(seconds(10));
  EXPECT_THAT(Take(stream), ElementsAre(a));
  EXPECT_TRUE(status.ended);
  EXPECT_FALSE(status.timed_out);
}

TEST_F(CoreTest, AStreamIsTakenUpAgainWhereItWas) {  // semantics 42
  const FutureId a = Promise(), b = Promise(), c = Promise();
  const Token first = Stream({a, b, c});
  Settle(b, Text(""));
  Take(first);
  const uint64_t position = taken.at(0).completion_sequence;
  Leave(first);
  Settle(a, Text(""));
  const Token second = Stream({a, b, c}, base::Duration::max(), position);
  EXPECT_EQ(streams.at(second).members, 3u);
  EXPECT_THAT(Take(second), ElementsAre(a));
  EXPECT_EQ(status.remaining, 1u);
  Settle(c, Text(""));
  EXPECT_THAT(Take(second), ElementsAre(c));
  EXPECT_TRUE(status.ended);
}

TEST_F(CoreTest, WhatVanishedBetweenTwoResumesIsReported) {  // semantics 42, 100
  Submit command = Command(PromiseSpec{});
  command.retention = seconds(10);
  const FutureId gone = Answer(std::move(command)).id;
  const FutureId a = Promise();
  Settle(gone, Text(""));
  Advance(seconds(10));
  const Token stream = Stream({a, gone, gone}, base::Duration::max(), 0);
  EXPECT_EQ(streams.at(stream).members, 2u);
  EXPECT_THAT(Take(stream), ElementsAre(gone));
  EXPECT_EQ(taken[0].state, State::kExpired);
  const Token fresh = Stream({a, gone});
  EXPECT_EQ(WhyNot(streams.at(fresh).refusal), base::Reason::kFutureExpired);
}

TEST_F(CoreTest, AStreamPinsItsMembersUntilTheyAreTaken) {  // semantics 42
  const FutureId a = Promise(), b = Promise();
  const Token stream = Stream({a, b});
  Settle(a, Text("kept"));
  Settle(b, Text("kept"));
  Advance(std::chrono::hours(5));
  EXPECT_THAT(Take(stream, 1), ElementsAre(a));
  EXPECT_LE(shard.NextDeadline(), now) << "the one that was taken is to go";
  Advance(seconds(0));
  EXPECT_EQ(WhyNot(a), base::Reason::kFutureExpired);
  EXPECT_THAT(Take(stream), ElementsAre(b));
  EXPECT_EQ(taken[0].outcome->value.body(), "kept");
  ExpectNothingLeft();
}

TEST_F(CoreTest, LeavingAStreamLeavesNothingBehind) {  // semantics 36, 98
  const FutureId a = Running();
  Leave(Stream({a}, seconds(60)));
  EXPECT_EQ(shard.Ask(core::GetStats()).streams, 0u);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
  EXPECT_EQ(shard.Ask(core::GetStats()).timers, 0u);
  EXPECT_EQ(StateOf(a), State::kRunning);
}

}  // namespace
}  // namespace muster::core
