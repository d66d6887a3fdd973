// Combinators and awaits whose members live in another shard.
#include "tests/unit/core/cross_shard_fixture.h"

namespace muster::core {
namespace {

INSTANTIATE_TEST_SUITE_P(Messages, CrossShardTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "EachTwice" : "EachOnce"; });

TEST_P(CrossShardTest, AGatherOverShardsIsAnsweredWhenAllAreKnown) {  // semantics 44, 45
  const FutureId a = Promise(0), b = Promise(1), c = Promise(2);
  const Token submit = Gather(0, {c, a, b, c});
  EXPECT_EQ(submitted.count(submit), 0u);
  Deliver();
  const FutureId gather = IdOf(submit);
  EXPECT_THAT(Get(gather).members, ElementsAre(c, a, b, c));
  for (FutureId id : {b, a, c}) Settle(id, Text(std::to_string(id.shard)));
  EXPECT_EQ(Get(gather).state, State::kPending);
  Deliver();
  EXPECT_EQ(Get(gather).state, State::kSucceeded);
  std::vector<std::string> values;
  for (const OutcomeRef& part : Get(gather).outcome->gathered) values.push_back(part->value.body());
  EXPECT_THAT(values, ElementsAre("2", "0", "1", "2"));
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, AGatherOfWhatIsUnknownElsewhereIsRefusedByName) {  // semantics 52
  const FutureId a = Promise(0), b = Promise(1);
  FutureId unknown = b;
  unknown.sequence += 9;
  FutureId beyond = b;
  beyond.shard = 3;
  const Token submit = Gather(0, {a, b, unknown});
  Deliver();
  ASSERT_EQ(submitted.count(submit), 1u);
  EXPECT_EQ(base::ReasonOf(submitted[submit].refusal), base::Reason::kFutureNotFound);
  EXPECT_THAT(std::string(submitted[submit].refusal.message()), testing::HasSubstr(unknown.ToText()));
  Deliver();
  for (const auto& shard : shards) EXPECT_EQ(shard->Ask(core::GetStats()).links, 0u);
  EXPECT_EQ(shards[0]->Ask(core::GetStats()).futures, 1u);
  EXPECT_EQ(base::ReasonOf(submitted[Gather(0, {beyond})].refusal), base::Reason::kFutureNotFound);
}

TEST_P(CrossShardTest, MembersAreHeldForTheGathersLife) {  // semantics 100
  const FutureId a = Promise(1);
  const Token submit = Gather(0, {a}, true);
  Deliver();
  Settle(a, Raised("Oops"));
  Deliver();
  Advance(std::chrono::minutes(59));
  EXPECT_EQ(Get(a).state, State::kFailed);
  EXPECT_EQ(Get(IdOf(submit)).state, State::kSucceeded);
  ExpectNothingLeft();
  EXPECT_EQ(unretrieved, 0) << "the gather has taken it";
}

TEST_P(CrossShardTest, CancellingAGatherReachesMembersElsewhereOncePerPosition) {  // semantics 49, 50, 8
  const FutureId job = Running(1), promise = Promise(2);
  const Token submit = Gather(0, {job, promise, job}, true);
  Deliver();
  const FutureId gather = IdOf(submit);
  EXPECT_EQ(CancelOne(gather, "all"), CancelEffect::kRequested);
  Deliver();
  EXPECT_EQ(Get(job).cancelling, 2u);
  EXPECT_EQ(Get(promise).state, State::kCancelled);
  ASSERT_EQ(cancel_jobs.size(), 1u);
  EXPECT_EQ(cancel_jobs[0].message, "all");
  End(job, Text("swallowed"));
  Deliver();
  EXPECT_EQ(Get(gather).state, State::kFailed);
  EXPECT_EQ(Get(gather).outcome->error->kind, ErrorKind::kCancelled);
  ExpectNothingLeft();
}

// All members were done when the cancel came: CPython's cancel() would have returned false.
TEST_P(CrossShardTest, ACancelThatFindsAllMembersDoneDoesNotCancelTheGather) {  // semantics 51
  const FutureId a = Promise(1);
  const Token submit = Gather(0, {a}, true);
  Deliver();
  Settle(a, Text("in time"));
  CancelOne(IdOf(submit));
  Deliver();
  EXPECT_EQ(Get(IdOf(submit)).state, State::kSucceeded);
}

TEST_P(CrossShardTest, AShieldOfAFutureElsewhere) {  // semantics 53, 54, 55
  const FutureId done = Promise(1), live = Promise(1), other = Promise(1);
  Settle(done, Text("x"));
  const Token of_done = Shield(0, done), of_live = Shield(0, live), of_other = Shield(0, other);
  Deliver();
  EXPECT_EQ(IdOf(of_done), done);
  EXPECT_EQ(submitted[of_done].state, State::kSucceeded);
  CancelOne(IdOf(of_live));
  Deliver();
  EXPECT_EQ(Get(live).state, State::kPending);
  CancelOne(other);
  Deliver();
  EXPECT_EQ(Get(IdOf(of_other)).state, State::kCancelled);
  CancelOne(live);
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, ARepeatableShieldOfWhatIsDoneElsewhere) {  // semantics 55, 102
  const FutureId done = Promise(1);
  Settle(done, Text("x"));
  ShieldSpec spec;
  spec.inner = done;
  std::vector<Token> tokens;
  for (int at = 0; at < 3; ++at) {
    Submit command = Command(spec);
    command.options = std::make_unique<Options>();
    command.options->request_id = "r";
    command.attach = true;
    tokens.push_back(command.token);
    Do(0, std::move(command));
    if (at == 1) Deliver();
  }
  for (size_t at = 0; at < tokens.size(); ++at) {
    EXPECT_EQ(submitted[tokens[at]].id, done);
    EXPECT_EQ(submitted[tokens[at]].deduplicated, at > 0);
    EXPECT_EQ(calls[tokens[at]].outcome->value.body(), "x");
  }
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, RepetitionsWaitForTheAnswerOfTheFirst) {  // semantics 102
  const FutureId a = Promise(1);
  std::vector<Token> tokens;
  for (int at = 0; at < 2; ++at) {
    Submit command = Command(GatherSpec{{a}, false});
    command.options = std::make_unique<Options>();
    command.options->request_id = "r";
    command.attach = true;
    tokens.push_back(command.token);
    Do(0, std::move(command));
  }
  EXPECT_EQ(submitted.count(tokens[1]), 0u);
  Deliver();
  EXPECT_EQ(submitted[tokens[0]].id, submitted[tokens[1]].id);
  EXPECT_TRUE(submitted[tokens[1]].deduplicated);
  Settle(a, Text(""));
  Deliver();
  EXPECT_EQ(calls.count(tokens[0]), 1u);
  EXPECT_EQ(calls.count(tokens[1]), 1u);
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, ACallLeftBeforeItsSubmitWasAnswered) {  // semantics 98
  const FutureId a = Promise(1);
  Submit command = Command(GatherSpec{{a}, false});
  command.attach = command.drop_when_delivered = true;
  const Token call = command.token;
  Do(0, std::move(command));
  Detach detach;
  detach.token = call;
  Do(0, detach);
  Deliver();
  Settle(a, Text(""));
  Deliver();
  EXPECT_EQ(calls.count(call), 0u);
  EXPECT_EQ(Get(IdOf(call)).state, State::kSucceeded);
  Advance(seconds(60));
  EXPECT_FALSE(test::Get(*shards[0], kNs, submitted[call].id, false).ok());
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, WaitForElsewhereTimesOutByCancellingThere) {  // semantics 56, 57
  const FutureId job = Running(1);
  const Token submit = WaitFor(0, job, seconds(5));
  Deliver();
  Advance(seconds(5));
  Deliver();
  EXPECT_EQ(cancel_jobs.size(), 1u);
  End(job, Outcome::Cancelled(""));
  Deliver();
  const FutureView view = Get(IdOf(submit));
  EXPECT_EQ(view.state, State::kFailed);
  EXPECT_EQ(view.outcome->error->kind, ErrorKind::kTimedOut);
  EXPECT_EQ(view.outcome->error->cause->origin, job);
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, WaitForElsewherePollsAndKeepsTheUnstartedFromStarting) {  // semantics 60
  const FutureId job = Make(1, JobSpec{});
  const Token submit = WaitFor(0, job, seconds(0));
  Deliver();
  EXPECT_EQ(Get(job).state, State::kCancelled);
  EXPECT_EQ(Get(IdOf(submit)).outcome->error->kind, ErrorKind::kTimedOut);
}

TEST_P(CrossShardTest, ACancelThatCameTooLateForTheInnerIsNotLost) {  // semantics 62
  const FutureId inner = Promise(1);
  const Token submit = WaitFor(0, inner, std::nullopt);
  Deliver();
  Settle(inner, Text("in time"));  // the word is on its way
  CancelOne(IdOf(submit), "mine");
  Deliver();
  EXPECT_EQ(Get(IdOf(submit)).state, State::kCancelled);
  EXPECT_EQ(Get(IdOf(submit)).outcome->error->message, "mine");
}

TEST_P(CrossShardTest, AnAwaitElsewhere) {  // semantics 12, 8
  const FutureId job = Running(0), promise = Promise(1), other = Promise(1);
  const Token first = AwaitIn(job, promise);
  Deliver();
  Settle(promise, Text("1"));
  Deliver();
  EXPECT_EQ(awaits.at(first).completion.outcome->value.body(), "1");
  const Token second = AwaitIn(job, other);
  CancelOne(job, "why");
  Deliver();
  EXPECT_EQ(Get(other).state, State::kCancelled);
  EXPECT_EQ(Get(other).outcome->error->message, "why");
  EXPECT_EQ(awaits.at(second).completion.state, State::kCancelled);
  EXPECT_THAT(cancel_jobs, IsEmpty());
  End(job, Text(""));
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, ACancelThatCameTooLateForTheAwaitedReachesTheBody) {  // semantics 12
  const FutureId job = Running(0), promise = Promise(1);
  const Token await = AwaitIn(job, promise);
  Deliver();
  Settle(promise, Text("in time"));
  CancelOne(job, "mine");
  Deliver();
  EXPECT_EQ(awaits.at(await).completion.state, State::kCancelled);
  EXPECT_EQ(awaits.at(await).completion.outcome->error->message, "mine");
  EXPECT_THAT(cancel_jobs, IsEmpty()) << "once, not twice";
}

TEST_P(CrossShardTest, ACancelThatAGatherCouldNotUseReachesTheBodyThatAwaitsIt) {  // semantics 12, 51
  const FutureId job = Running(0), promise = Promise(1);
  const Token gather = Gather(0, {promise});
  Deliver();
  const Token await = AwaitIn(job, IdOf(gather));
  Settle(promise, Text("in time"));
  CancelOne(job, "mine");
  Deliver();
  EXPECT_EQ(Get(IdOf(gather)).state, State::kSucceeded);
  EXPECT_EQ(awaits.at(await).completion.state, State::kCancelled);
  EXPECT_EQ(awaits.at(await).completion.outcome->error->message, "mine");
}

TEST_P(CrossShardTest, AwaitingTheUnknownElsewhereIsRefused) {
  const FutureId job = Running(0);
  FutureId unknown = Promise(1);
  unknown.sequence += 3;
  const Token await = AwaitIn(job, unknown);
  Deliver();
  EXPECT_EQ(base::ReasonOf(awaits.at(await).refusal), base::Reason::kFutureNotFound);
  End(job, Text(""));
  EXPECT_EQ(shards[0]->Ask(core::GetStats()).links, 0u);
}

TEST_P(CrossShardTest, NestingIsCountedOverShards) {
  FutureId last = Promise(0);
  for (int depth = 1; depth <= 16; ++depth) {
    const Token submit = Gather(depth % 3, {last});
    Deliver();
    last = IdOf(submit);
  }
  const Token submit = Gather(2, {last});
  Deliver();
  EXPECT_EQ(base::ReasonOf(submitted[submit].refusal), base::Reason::kNestingTooDeep);
}

TEST_P(CrossShardTest, ALateRepetitionOfASubscriptionLeavesNothingBehind) {
  const FutureId a = Promise(1);
  const Token submit = Shield(0, a);
  const ShardMessage subscribe = queues.at({0, 1}).front();
  Deliver();
  CancelOne(IdOf(submit));
  Deliver();
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 0u);
  Do(1, subscribe);
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 1u);
  Deliver();
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 0u);
}

}  // namespace
}  // namespace muster::core
