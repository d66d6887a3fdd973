#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

TEST_F(CoreTest, ABodyAwaitsAFuture) {
  const FutureId promise = Promise();
  const FutureId job = Running({OnCancel::kIgnore});
  const Token await = AwaitIn(job, promise);
  EXPECT_EQ(awaits.count(await), 0u);
  Settle(promise, Text("42"));
  ASSERT_EQ(awaits.count(await), 1u);
  EXPECT_EQ(awaits.at(await).completion.outcome->value.body(), "42");
  EXPECT_EQ(awaits.at(await).completion.id, promise);
  EXPECT_EQ(awaits.at(await).job, job);
}

TEST_F(CoreTest, AwaitingWhatIsDoneIsAnsweredAtOnce) {
  const FutureId promise = Promise();
  Settle(promise, Raised("Oops"));
  const FutureId job = Running({OnCancel::kIgnore});
  const Token await = AwaitIn(job, promise);
  EXPECT_EQ(awaits.at(await).completion.state, State::kFailed);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

TEST_F(CoreTest, AJobThatAwaitsItselfIsRefused) {  // semantics 15
  const FutureId job = Running({OnCancel::kIgnore});
  EXPECT_EQ(WhyNot(awaits.at(AwaitIn(job, job)).refusal), base::Reason::kSelfAwait);
}

TEST_F(CoreTest, AwaitingTheUnknownIsRefused) {
  const FutureId job = Running({OnCancel::kIgnore});
  FutureId unknown = job;
  unknown.sequence += 5;
  EXPECT_EQ(WhyNot(awaits.at(AwaitIn(job, unknown)).refusal), base::Reason::kFutureNotFound);
}

TEST_F(CoreTest, ASecondAwaitWhileOneIsOpenIsRefused) {
  const FutureId a = Promise();
  const FutureId b = Promise();
  const FutureId job = Running({OnCancel::kIgnore});
  AwaitIn(job, a);
  EXPECT_EQ(WhyNot(awaits.at(AwaitIn(job, b)).refusal), base::Reason::kInvalidField);
  Settle(a, Text(""));
  const Token next = AwaitIn(job, b);
  EXPECT_EQ(awaits.count(next), 0u);
}

TEST_F(CoreTest, CancellingAJobCancelsWhatItAwaits) {  // semantics 12, 8
  const FutureId promise = Promise();
  const FutureId job = Running();
  const Token await = AwaitIn(job, promise);
  EXPECT_EQ(CancelOne(job, "why"), CancelEffect::kRequested);
  EXPECT_EQ(StateOf(promise), State::kCancelled);
  EXPECT_EQ(ErrorOf(promise).message, "why");
  EXPECT_EQ(awaits.at(await).completion.state, State::kCancelled);
  EXPECT_THAT(cancel_jobs, IsEmpty()) << "the await alone brings the cancel";
  ASSERT_EQ(forwarded.size(), 1u) << "and the body's token counts it";
  EXPECT_EQ(forwarded[0].times, 1u);
  Quiesce();
  EXPECT_EQ(StateOf(job), State::kCancelled);
  EXPECT_EQ(ErrorOf(job).message, "why");
  EXPECT_EQ(Get(job).cancelling, 1u);
  ExpectNothingLeft();
}

TEST_F(CoreTest, CancellingGoesDownTheWholeChain) {  // semantics 12
  const FutureId bottom = Running({OnCancel::kEndCancelled, seconds(1)});
  const FutureId middle = Running();
  const FutureId top = Running();
  AwaitIn(middle, bottom);
  AwaitIn(top, middle);
  CancelOne(top);
  for (FutureId id : {bottom, middle, top}) EXPECT_EQ(Get(id).cancelling, 1u);
  ASSERT_EQ(cancel_jobs.size(), 1u);
  EXPECT_EQ(cancel_jobs[0].id, bottom);
  EXPECT_EQ(StateOf(top), State::kRunning);
  Advance(seconds(1));
  for (FutureId id : {bottom, middle, top}) EXPECT_EQ(StateOf(id), State::kCancelled);
}

TEST_F(CoreTest, AnAwaitedJobThatSwallowsTheCancelSavesItsAwaiter) {  // semantics 6, 12
  const FutureId inner = Running({OnCancel::kReturn});
  const FutureId outer = Running();
  AwaitIn(outer, inner);
  CancelOne(outer);
  Quiesce();
  EXPECT_EQ(StateOf(inner), State::kSucceeded);
  EXPECT_EQ(StateOf(outer), State::kSucceeded);
  EXPECT_EQ(Get(outer).cancelling, 1u);
}

TEST_F(CoreTest, AShieldKeepsTheAwaitedAlive) {  // semantics 53
  const FutureId inner = Running();
  const FutureId outer = Running();
  AwaitIn(outer, Shield(inner));
  CancelOne(outer);
  Quiesce();
  EXPECT_EQ(StateOf(outer), State::kCancelled);
  EXPECT_EQ(StateOf(inner), State::kRunning);
  EXPECT_EQ(Get(inner).cancelling, 0u);
}

// In one call the promise is done before the job is cancelled: Task.cancel() then finds an awaited future that refuses,
// and the body sees one cancellation, not two.
TEST_F(CoreTest, ACancelThatTheAwaitedRefusesReachesTheBodyOnce) {  // semantics 8
  const FutureId promise = Promise();
  const FutureId job = Running({OnCancel::kIgnore});
  const Token await = AwaitIn(job, promise);
  EXPECT_THAT(CancelAll({promise, job}, "both"), ElementsAre(CancelEffect::kCancelled, CancelEffect::kRequested));
  EXPECT_EQ(awaits.at(await).completion.state, State::kCancelled);
  EXPECT_THAT(cancel_jobs, IsEmpty());
}

TEST_F(CoreTest, ACancelAfterTheAwaitEndedReachesTheBody) {
  const FutureId promise = Promise();
  const FutureId job = Running({OnCancel::kIgnore});
  AwaitIn(job, promise);
  Settle(promise, Text(""));
  CancelOne(job);
  EXPECT_EQ(cancel_jobs.size(), 1u);
}

TEST_F(CoreTest, ACircleOfAwaitsIsOpenedByACancel) {
  const FutureId a = Running();
  const FutureId b = Running();
  AwaitIn(a, b);
  AwaitIn(b, a);
  CancelOne(a);
  Quiesce();
  EXPECT_EQ(StateOf(a), State::kCancelled);
  EXPECT_EQ(StateOf(b), State::kCancelled);
  ExpectNothingLeft();
}

TEST_F(CoreTest, ACircleThroughAGatherIsOpenedByACancel) {
  const FutureId a = Running();
  const FutureId gather = Gather({a, a});
  AwaitIn(a, gather);
  CancelOne(gather);
  Quiesce();
  EXPECT_EQ(StateOf(a), State::kCancelled);
  EXPECT_EQ(StateOf(gather), State::kFailed);
  ExpectNothingLeft();
}

// One member awaits the other: it is left to the end of that one, and may survive.
TEST_F(CoreTest, ACancelledMemberThatAwaitsItsSiblingSeesWhatBecomesOfIt) {
  const FutureId a = Running({OnCancel::kReturn, seconds(1)});
  const FutureId b = Running();
  AwaitIn(b, a);
  CancelOne(Gather({a, b}, true));
  EXPECT_EQ(Get(a).cancelling, 2u);
  EXPECT_EQ(Get(b).cancelling, 1u);
  EXPECT_EQ(cancel_jobs.size(), 1u);
  Advance(seconds(1));
  EXPECT_EQ(StateOf(b), State::kSucceeded);
}

TEST_F(CoreTest, AVeryLongChainIsCancelledWithoutRecursion) {
  FutureId last = Promise();
  const FutureId first = last;
  for (int at = 0; at < 20'000; ++at) {
    Submit command = Command(JobOf(FunctionKind::kAsync));
    out.clear();
    shard.Apply(std::move(command), now, out);
    const FutureId id = std::get<Submitted>(out[1]).id;
    JobStarted started;
    started.id = id;
    shard.Apply(started, now, out);
    Await await;
    await.token = ++last_token;
    await.ns = kNs;
    await.job = id;
    await.target = last;
    shard.Apply(await, now, out);
    last = id;
  }
  CancelOne(last);
  EXPECT_EQ(StateOf(first), State::kCancelled);
}

TEST_F(CoreTest, AnAwaitIsAnsweredWhenItsJobEnds) {
  const FutureId promise = Promise();
  const FutureId job = Running({}, FunctionKind::kBlocking);
  const Token await = AwaitIn(job, promise);
  CancelOne(job);  // the future has ended; the thread still stands in Await
  EXPECT_EQ(awaits.at(await).completion.state, State::kCancelled);
  EXPECT_EQ(StateOf(promise), State::kPending);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

TEST_F(CoreTest, TheRunTimeoutCancelsWhatIsAwaited) {  // semantics 12, 57
  Options options;
  options.run_timeout = seconds(2);
  const FutureId inner = Running();
  const FutureId outer = Running(options);
  AwaitIn(outer, inner);
  Advance(seconds(2));
  EXPECT_EQ(StateOf(inner), State::kCancelled);
  EXPECT_EQ(StateOf(outer), State::kFailed);
  EXPECT_EQ(ErrorOf(outer).kind, ErrorKind::kTimedOut);
}

TEST_F(CoreTest, AnAwaitCanBeWithdrawn) {
  const FutureId promise = Promise();
  const FutureId job = Running({OnCancel::kIgnore});
  const Token await = AwaitIn(job, promise);
  Leave(await);
  Settle(promise, Text(""));
  EXPECT_EQ(awaits.count(await), 0u);
}

TEST_F(CoreTest, APendingCancelMeetsNoAwaitOfWhatIsDone) {  // semantics 12
  const FutureId promise = Promise();
  Settle(promise, Text("v"));
  const FutureId job = Running({OnCancel::kIgnore});
  const Token await = AwaitIn(job, promise, "why");
  EXPECT_EQ(awaits.at(await).completion.state, State::kSucceeded);
  EXPECT_FALSE(awaits.at(await).met_cancel);
}

TEST_F(CoreTest, APendingCancelGoesToWhatIsAwaited) {  // semantics 8, 12
  const FutureId inner = Running();
  const FutureId job = Running({OnCancel::kIgnore});
  const Token await = AwaitIn(job, inner, "why");
  EXPECT_EQ(awaits.count(await), 0u) << "the inner may swallow it";
  Quiesce();
  EXPECT_EQ(awaits.at(await).completion.outcome->error->message, "why");
  EXPECT_TRUE(awaits.at(await).met_cancel);
  EXPECT_EQ(Get(inner).cancelling, 1u);
}

// A gather whose members are done refuses, before it has been told of the last.
TEST_F(CoreTest, APendingCancelThatIsRefusedReachesTheBody) {  // semantics 8
  const FutureId a = Promise();
  const FutureId gather = Gather({a, Promise()});
  const FutureId shield = Shield(gather);
  const FutureId job = Running({OnCancel::kIgnore});
  const Token await = AwaitIn(job, shield, "why");
  EXPECT_EQ(awaits.at(await).completion.state, State::kCancelled);
  EXPECT_EQ(StateOf(gather), State::kPending);
}

}  // namespace
}  // namespace muster::core
