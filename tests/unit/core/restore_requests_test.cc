// What clients come back with after a restart of the server: request ids and resume tokens.
#include "tests/unit/core/restore_fixture.h"

namespace muster::core {
namespace {

class RestoreRequestsTest : public RestoreTest {
 protected:
  Submit Request(std::string request_id, uint64_t spec_hash, FutureSpec spec = PromiseSpec{}) {
    Options options;
    options.request_id = std::move(request_id);
    Submit command = Command(std::move(spec), std::move(options));
    command.spec_hash = spec_hash;
    return command;
  }
};

TEST_F(RestoreRequestsTest, TheSameRequestGivesTheSameFuture) {  // semantics 102
  const FutureId promise = Answer(0, Request("p", 1)).id, job = Answer(0, Request("j", 2, JobOf("in"))).id,
                 gather = Answer(0, Request("g", 3, GatherSpec{{promise, job}, false})).id;
  for (int round = 0; round < 2; ++round) {
    Restart(seconds(1));
    const Submitted again = Answer(0, Request("p", 1));
    EXPECT_TRUE(again.deduplicated);
    EXPECT_EQ(again.id, promise);
    EXPECT_EQ(again.state, State::kPending);
    EXPECT_EQ(Answer(0, Request("j", 2, JobOf("in"))).id, job);
    EXPECT_EQ(Answer(0, Request("g", 3, GatherSpec{{promise, job}, false})).id, gather);
    EXPECT_EQ(WhyNot(Answer(0, Request("p", 4)).refusal), base::Reason::kRequestIdReused);
    EXPECT_FALSE(Answer(1, Request("p", 1)).deduplicated) << "each shard has its own";
    Settle(submitted[last_token].id, Text(""));
    EXPECT_TRUE(Delete(submitted[last_token - 1].id).ok());
    Advance(minutes(10));
  }
  EXPECT_EQ(shards[0]->Ask(core::GetStats()).futures, 3u);
  Settle(promise, Text("done"));
  Restart(seconds(1));
  EXPECT_EQ(Answer(0, Request("p", 1)).state, State::kSucceeded);
  End(job, Text(""));
  ExpectNothingLeft();
}

TEST_F(RestoreRequestsTest, ACallAttachesAgain) {  // semantics 98, 102
  Submit call = Request("c", 1, JobOf("in"));
  call.attach = true;
  const FutureId job = Answer(0, std::move(call)).id;
  Start(job);
  Restart(seconds(1));
  EXPECT_EQ(shards[0]->Ask(core::GetStats()).calls, 0u);
  Submit again = Request("c", 1, JobOf("in"));
  again.attach = true;
  const Submitted attached = Answer(0, std::move(again));
  EXPECT_EQ(attached.id, job);
  Start(job);
  End(job, Text("second run"));
  EXPECT_EQ(calls.at(attached.token).outcome->value.body(), "second run");
  EXPECT_EQ(calls.at(attached.token).attempt, 2u);
  Restart(seconds(1));
  Submit late = Request("c", 1, JobOf("in"));
  late.attach = true;
  EXPECT_EQ(calls.at(Answer(0, std::move(late)).token).outcome->value.body(), "second run");
  ExpectNothingLeft();
}

TEST_F(RestoreRequestsTest, AfterTheFutureHasGoneItsWindowGoesOnWhileTheServerIsDown) {  // semantics 100, 102
  Submit command = Request("r", 1);
  command.retention = seconds(10);
  const FutureId promise = Answer(0, std::move(command)).id;
  Settle(promise, Text(""));
  Commit();
  EXPECT_THAT(RecordOf(promise).requests, SizeIs(1));
  EXPECT_THAT(stores[0].requests, IsEmpty()) << "it lies with its future";
  Advance(seconds(10));  // the window of ten minutes begins
  Restart(minutes(4));
  EXPECT_THAT(stores[0].futures, IsEmpty());
  EXPECT_THAT(stores[0].requests, SizeIs(1)) << "and in a row of its own afterwards";
  const Submitted again = Answer(0, Request("r", 1));
  EXPECT_EQ(WhyNot(again.refusal), base::Reason::kFutureExpired);
  EXPECT_EQ(again.id, promise);
  EXPECT_EQ(WhyNot(Answer(0, Request("r", 2)).refusal), base::Reason::kRequestIdReused);
  Restart(minutes(4));
  Advance(minutes(2) - milliseconds(1));
  EXPECT_EQ(WhyNot(Answer(0, Request("r", 1)).refusal), base::Reason::kFutureExpired);
  Advance(milliseconds(1));
  const Submitted fresh = Answer(0, Request("r", 2));
  EXPECT_FALSE(fresh.deduplicated) << "forgotten";
  Restart();
  EXPECT_THAT(stores[0].requests, IsEmpty());
  EXPECT_EQ(Answer(0, Request("r", 2)).id, fresh.id);
  Settle(fresh.id, Text(""));
  ExpectNothingLeft();
}

TEST_F(RestoreRequestsTest, AWindowThatEndedWhileTheServerWasDown) {  // semantics 102
  Submit command = Request("r", 1);
  command.retention = seconds(1);
  Settle(Answer(0, std::move(command)).id, Text(""));
  Advance(seconds(1));
  Restart(minutes(10));
  Advance(seconds(0));
  EXPECT_TRUE(Answer(0, Request("r", 2)).refusal.ok());
  Commit();
  EXPECT_THAT(stores[0].requests, IsEmpty());
}

TEST_F(RestoreRequestsTest, TheWindowCanBeLonger) {  // semantics 102
  Submit command = Request("r", 1);
  command.options->request_id_ttl = hours(3);
  command.retention = seconds(1);
  const FutureId promise = Answer(0, std::move(command)).id;
  Restart();  // while its future lives: the window comes back with it
  Settle(promise, Text(""));
  Advance(seconds(1));
  Restart(hours(2));
  Advance(hours(1) - milliseconds(1));
  EXPECT_EQ(shards[0]->Ask(core::GetStats()).request_ids, 1u);
  Advance(milliseconds(1));
  EXPECT_EQ(shards[0]->Ask(core::GetStats()).request_ids, 0u);
}

TEST_F(RestoreRequestsTest, AShieldOfWhatWasDone) {  // semantics 55, 102
  const FutureId here = Promise(0), elsewhere = Promise(1), failed = Promise(1);
  Settle(here, Text("h"));
  Settle(elsewhere, Text("e"));
  Settle(failed, Raised("F"));
  EXPECT_EQ(Answer(0, Request("h", 1, ShieldOf(here))).id, here);
  EXPECT_EQ(Answer(0, Request("e", 2, ShieldOf(elsewhere))).id, elsewhere);
  EXPECT_EQ(Answer(0, Request("f", 3, ShieldOf(failed))).id, failed);
  EXPECT_TRUE(Delete(elsewhere).ok());
  for (int round = 0; round < 2; ++round) {
    Restart(minutes(2));
    const Submitted again = Answer(0, Request("h", 1, ShieldOf(here)));
    EXPECT_TRUE(again.deduplicated);
    EXPECT_EQ(again.id, here);
    Submit attached = Request("e", 2, ShieldOf(elsewhere));
    attached.attach = true;
    const Submitted other = Answer(0, std::move(attached));
    EXPECT_TRUE(other.deduplicated);
    EXPECT_EQ(other.id, elsewhere);
    EXPECT_EQ(other.state, State::kSucceeded);
    EXPECT_EQ(calls.at(other.token).outcome->value.body(), "e");
    EXPECT_EQ(Answer(0, Request("f", 3, ShieldOf(failed))).state, State::kFailed);
    EXPECT_EQ(WhyNot(Answer(0, Request("e", 9)).refusal), base::Reason::kRequestIdReused);
  }
  Advance(minutes(6));
  EXPECT_FALSE(Answer(0, Request("e", 9)).deduplicated) << "its window is over";
  Settle(submitted[last_token].id, Text(""));
  ExpectNothingLeft();
}

TEST_F(RestoreRequestsTest, AFutureOfSeveralRequests) {  // semantics 55, 102
  const FutureId promise = Answer(0, Request("made", 1)).id;
  Settle(promise, Text(""));
  Commit();
  Answer(0, Request("shielded", 2, ShieldOf(promise)));
  Commit();
  EXPECT_THAT(RecordOf(promise).requests, SizeIs(2));
  Restart();
  EXPECT_EQ(Answer(0, Request("made", 1)).id, promise);
  EXPECT_EQ(Answer(0, Request("shielded", 2)).id, promise);
  ExpectNothingLeft();
}

TEST_F(RestoreRequestsTest, ARequestThatWasNotCommittedIsNew) {  // semantics 102
  const FutureId lost = Answer(0, Request("r", 1)).id;
  Crash();
  const Submitted again = Answer(0, Request("r", 1));
  EXPECT_FALSE(again.deduplicated);
  EXPECT_NE(again.id, lost);
}

TEST_F(RestoreRequestsTest, AStreamIsTakenUpAgainWithNoLoss) {  // semantics 38, 42
  std::vector<FutureId> ids;
  for (int at = 0; at < 8; ++at) ids.push_back(Promise(0));
  const Token stream = Stream(ids);
  for (const int at : {5, 2, 7}) Settle(ids[at], Text(std::to_string(at)));
  const std::vector<Completion> first = Take(0, stream, 2);
  ASSERT_THAT(IdsOf(first), ElementsAre(ids[5], ids[2]));
  Settle(ids[0], Text("0"));
  Restart(seconds(1));
  Settle(ids[6], Text("6"));
  const Token resumed = Stream(ids, first.back().completion_sequence);
  EXPECT_EQ(streams.at(resumed).members, 8u);
  const std::vector<Completion> second = Take(0, resumed);
  EXPECT_THAT(IdsOf(second), ElementsAre(ids[7], ids[0], ids[6]))
      << "in the order in which they ended, before and after";
  EXPECT_EQ(status.remaining, 3u);
  Restart(seconds(1));
  for (const int at : {4, 1, 3}) Settle(ids[at], Text(""));
  const Token last = Stream(ids, second.back().completion_sequence);
  EXPECT_THAT(IdsOf(Take(0, last)), ElementsAre(ids[4], ids[1], ids[3]));
  EXPECT_TRUE(status.ended);
  ExpectNothingLeft();
}

TEST_F(RestoreRequestsTest, WhatVanishedBetweenIsSaidToHaveExpired) {  // semantics 42, 100
  const FutureId short_one = Kept(0, seconds(5), Text("")), live = Promise(0);
  const FutureId lost = [&] {
    Commit();
    return Promise(0);
  }();
  const FutureId first = Promise(1);
  Crash(seconds(5));
  Advance(seconds(0));
  const Token resumed = Stream({short_one, live, lost}, 0);
  const std::vector<Completion> taken = Take(0, resumed);
  ASSERT_THAT(IdsOf(taken), UnorderedElementsAre(short_one, lost));
  EXPECT_EQ(taken[0].state, State::kExpired);
  EXPECT_EQ(status.remaining, 1u);
  EXPECT_EQ(WhyNot(first), base::Reason::kFutureLost);
}

// Completion numbers stand in resume tokens: one that was handed out must not come back for something else.
TEST_F(RestoreRequestsTest, CompletionNumbersAreNotUsedTwice) {  // semantics 42
  const FutureId live = Promise(0);
  Commit();
  uint64_t highest = 0;
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE("restart " + std::to_string(round));
    for (int at = 0; at < 10; ++at) {  // nothing of these is ever written
      const FutureId gone = Kept(0, hours(1), Text(""));
      const Token stream = Stream({gone, live});
      const std::vector<Completion> taken = Take(0, stream);
      ASSERT_THAT(IdsOf(taken), ElementsAre(gone));
      EXPECT_GT(taken[0].completion_sequence, highest);
      highest = taken[0].completion_sequence;
      Leave(0, stream);
      EXPECT_TRUE(Delete(gone).ok());
    }
    // As a server does: what there is to write is written before anyone hears of what comes later.
    if (round % 2 == 1) Commit();
    Crash();
    Commit();
  }
  Settle(live, Text("not lost"));
  const Token resumed = Stream({live}, highest);
  EXPECT_THAT(IdsOf(Take(0, resumed)), ElementsAre(live));
}

}  // namespace
}  // namespace muster::core
