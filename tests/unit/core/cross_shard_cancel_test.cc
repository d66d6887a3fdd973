// Cancels whose ways lead through several shards, in the orders in which their messages can arrive.
#include "tests/unit/core/cross_shard_fixture.h"

namespace muster::core {
namespace {

class CrossShardCancelTest : public CrossShardTest {
 protected:
  // A job, one in another shard that awaits it, and a gather of both in a third, which is cancelled: the cancel has
  // come to the job, and is on its way to the other.
  struct TwoWays {
    FutureId job, awaiting;
    Token outer;  // the await
  };
  TwoWays CancelledByTwoWays() {
    TwoWays made{Running(0), Running(1), kNoToken};
    made.outer = AwaitIn(made.awaiting, made.job);
    Deliver();
    const Token gather = Gather(2, {made.job, made.awaiting}, true);
    Deliver();
    cancel_jobs.clear();
    CancelOne(IdOf(gather), "all");
    DeliverAll(2, 0);
    return made;
  }
};

INSTANTIATE_TEST_SUITE_P(Messages, CrossShardCancelTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "EachTwice" : "EachOnce"; });
// The body has a cancel that it has not met, and begins to await a future of another shard. asyncio would not suspend
// at one that is done, and deliver nothing there.
TEST_P(CrossShardCancelTest, APendingCancelStaysPendingAtWhatIsDone) {  // semantics 12
  const FutureId target = Promise(1);
  Settle(target, Text("v"));
  const FutureId job = Running(0);
  const Token await = AwaitIn(job, target, "late");
  Deliver();
  ASSERT_EQ(awaits.count(await), 1u);
  EXPECT_EQ(awaits[await].completion.state, State::kSucceeded);
  EXPECT_FALSE(awaits[await].met_cancel);
  EXPECT_EQ(Get(target).cancelling, 0u);
}

TEST_P(CrossShardCancelTest, APendingCancelGoesToWhatIsNotDone) {  // semantics 8, 12
  const FutureId target = Promise(1);
  const FutureId job = Running(0);
  const Token await = AwaitIn(job, target, "why");
  Deliver();
  EXPECT_EQ(Get(target).state, State::kCancelled);
  ASSERT_EQ(awaits.count(await), 1u);
  EXPECT_EQ(awaits[await].completion.state, State::kCancelled);
  EXPECT_EQ(awaits[await].completion.outcome->error->message, "why");
  EXPECT_TRUE(awaits[await].met_cancel);
}

// It was not done when its shard was asked, and is when the cancel arrives: as when Task.cancel() finds an awaited
// future that refuses, the body sees its own cancellation.
TEST_P(CrossShardCancelTest, APendingCancelThatCameTooLateIsNotLost) {  // semantics 12
  const FutureId target = Promise(1);
  const FutureId job = Running(0);
  const Token await = AwaitIn(job, target, "why");
  DeliverAll(0, 1);
  Settle(target, Text("v"));
  Deliver();
  ASSERT_EQ(awaits.count(await), 1u);
  EXPECT_EQ(awaits[await].completion.state, State::kCancelled);
  EXPECT_TRUE(awaits[await].met_cancel);
}

// In one process of asyncio no body runs before cancel() has returned; between two shards one does.
TEST_P(CrossShardCancelTest, ACancelThatComesByTwoWaysIsSeenOnce) {  // semantics 8, 12, 49
  const auto [job, awaiting, outer] = CancelledByTwoWays();
  ASSERT_EQ(cancel_jobs.size(), 1u);
  const FutureId late = Promise(0);
  const Token inner = AwaitIn(job, late);  // the body has seen the cancel, and goes on
  Deliver();
  EXPECT_EQ(Get(job).cancelling, 2u);
  EXPECT_EQ(cancel_jobs.size(), 1u);
  EXPECT_EQ(Get(late).state, State::kPending);
  EXPECT_FALSE(awaits.contains(inner));
  Settle(late, Text("in peace"));
  EXPECT_EQ(awaits.at(inner).completion.outcome->value.body(), "in peace");
  End(job, Text("swallowed"));
  Deliver();
  EXPECT_EQ(awaits.at(outer).completion.outcome->value.body(), "swallowed");
  End(awaiting, Text(""));
  Deliver();
  ExpectNothingLeft();
}

// The body was faster than the way through the other shard.
TEST_P(CrossShardCancelTest, ACancelThatComesByTwoWaysCountsForAJobThatHasEndedOfIt) {  // semantics 9, 12, 49
  const auto [job, awaiting, outer] = CancelledByTwoWays();
  End(job, Text("swallowed"));
  DeliverAll(2, 1);
  Deliver();
  EXPECT_EQ(Get(job).cancelling, 2u);
  EXPECT_EQ(awaits.at(outer).completion.outcome->value.body(), "swallowed") << "no cancel was missed";
  EXPECT_EQ(Get(awaiting).cancelling, 1u);
  End(awaiting, Text(""));
  Deliver();
  ExpectNothingLeft();
}

// What the awaited made of the cancel comes sooner than the cancel itself, which is no second one then.
TEST_P(CrossShardCancelTest, ACancelThatComesAfterWhatItMadeOfTheAwaitedIsOnlyCounted) {  // semantics 8, 9, 12
  for (const bool ended : {false, true}) {
    const FutureId late = Promise(1);
    const auto [job, awaiting, outer] = CancelledByTwoWays();
    ASSERT_EQ(cancel_jobs.size(), 1u);
    End(job, Outcome::Cancelled("all"));
    DeliverAll(0, 1);
    ASSERT_TRUE(awaits.contains(outer));
    Token inner = kNoToken;
    if (ended) {
      End(awaiting, Text("in peace"));
    } else {
      inner = AwaitIn(awaiting, late);
    }
    Deliver();
    EXPECT_EQ(Get(awaiting).cancelling, 1u);
    EXPECT_EQ(cancel_jobs.size(), 1u);
    EXPECT_EQ(Get(late).state, State::kPending);
    Settle(late, Text("in peace"));
    if (!ended) {
      EXPECT_EQ(awaits.at(inner).completion.outcome->value.body(), "in peace");
      End(awaiting, Text("in peace"));
    }
    Deliver();
    EXPECT_EQ(Get(awaiting).state, State::kSucceeded);
    ExpectNothingLeft();
  }
}

// Another cancel is another matter.
TEST_P(CrossShardCancelTest, AJobThatHasEndedCountsNoLaterCancel) {  // semantics 4
  const FutureId job = Running(0);
  const Token gather = Gather(2, {job, Promise(2)}, true);
  Deliver();
  CancelOne(job, "first");
  End(job, Text("swallowed"));
  CancelOne(IdOf(gather), "second");
  Deliver();
  EXPECT_EQ(Get(job).cancelling, 1u);
  ExpectNothingLeft();
}

// A walk keeps the jobs that it came through, and that is bounded: past the bound the await ends here instead.
TEST_P(CrossShardCancelTest, ACancelThatCameThroughTooManyJobsEndsTheAwait) {
  const auto chain_in = [&](int shard, const FutureId& end, Token& last) {
    FutureId next = end;
    for (int at = 0; at < 600; ++at) {
      const FutureId job = Running(shard);
      const Token await = AwaitIn(job, next);
      if (at == 0) last = await;
      next = job;
    }
    return next;
  };
  const FutureId far = Running(2);
  Token first_left = 0, second_left = 0;
  const FutureId middle = chain_in(1, far, second_left);
  const FutureId head = chain_in(0, middle, first_left);
  Deliver();
  CancelOne(head, "long");
  Deliver();
  EXPECT_FALSE(awaits.contains(first_left)) << "600 jobs are not too many";
  ASSERT_TRUE(awaits.contains(second_left));
  EXPECT_EQ(awaits.at(second_left).completion.outcome->error->message, "long");
  EXPECT_EQ(Get(far).cancelling, 0u);
  EXPECT_EQ(Get(middle).cancelling, 1u);
}

TEST_P(CrossShardCancelTest, ACircleOverShardsIsOpenedByACancel) {
  const FutureId a = Running(0), b = Running(1), c = Running(2);
  AwaitIn(a, b);
  AwaitIn(b, c);
  const Token gather = Gather(2, {a, a});
  Deliver();
  AwaitIn(c, IdOf(gather));
  Deliver();
  CancelOne(a, "open");
  Deliver();
  ASSERT_FALSE(awaits.empty()) << "some body sees the cancel";
  for (int round = 0; round < 5; ++round) {
    const auto seen = std::exchange(awaits, {});
    for (const auto& [await, ended] : seen) End(ended.job, Outcome::Cancelled("open"));
    Deliver();
  }
  for (FutureId id : {a, b, c}) EXPECT_EQ(Get(id).state, State::kCancelled);
  ExpectNothingLeft();
}

}  // namespace
}  // namespace muster::core
