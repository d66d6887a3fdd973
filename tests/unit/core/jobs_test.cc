#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

TEST_F(CoreTest, AJobIsQueuedStartedAndEnds) {
  const FutureId id = Job();
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].id, id);
  EXPECT_EQ(starts[0].function, 5u);
  EXPECT_EQ(starts[0].attempt, 1u);
  EXPECT_EQ(StateOf(id), State::kQueued);
  EXPECT_EQ(Get(id).outcome, nullptr);  // semantics 1
  Advance(seconds(1));
  Start(id);
  EXPECT_EQ(StateOf(id), State::kRunning);
  EXPECT_EQ(Get(id).start_time, now);
  Advance(seconds(1));
  End(id, Text("done"));
  EXPECT_EQ(StateOf(id), State::kSucceeded);
  EXPECT_EQ(ValueOf(id), "done");
  EXPECT_EQ(Get(id).end_time, now);
  ExpectNothingLeft();
}

TEST_F(CoreTest, AJobMayStartAndEndWithinOneTurn) {
  const FutureId id = Job();
  JobEnded ended;
  ended.id = id;
  ended.outcome = Text("quick");
  ended.started = now;
  Run([&] { shard.Apply(std::move(ended), now, out); });
  EXPECT_EQ(StateOf(id), State::kSucceeded);
  EXPECT_EQ(Get(id).start_time, now);
}

TEST_F(CoreTest, TheFirstTerminalStateWins) {
  const FutureId id = Running();
  End(id, Text("first"));
  End(id, Raised("Late"));
  EXPECT_EQ(StateOf(id), State::kSucceeded);
  EXPECT_EQ(ValueOf(id), "first");
}

TEST_F(CoreTest, AWordOfAnotherAttemptIsIgnored) {
  const FutureId id = Running();
  JobEnded ended;
  ended.id = id;
  ended.attempt = 2;
  ended.outcome = Text("of another run");
  Run([&] { shard.Apply(std::move(ended), now, out); });
  EXPECT_EQ(StateOf(id), State::kRunning);
}

TEST_F(CoreTest, ADelayedJobIsQueuedWhenItsTimeHasCome) {
  Options options;
  options.delay = seconds(5);
  const FutureId id = Job(options);
  EXPECT_EQ(StateOf(id), State::kDelayed);
  Advance(milliseconds(4999));
  EXPECT_THAT(starts, IsEmpty());
  Advance(milliseconds(1));
  EXPECT_EQ(StateOf(id), State::kQueued);
  EXPECT_EQ(starts.size(), 1u);
}

TEST_F(CoreTest, AFailedJobKeepsItsError) {
  const FutureId id = Running();
  End(id, Raised("ValueError", "no good"));
  EXPECT_EQ(StateOf(id), State::kFailed);
  EXPECT_EQ(ErrorOf(id).type, "ValueError");
}

TEST_F(CoreTest, ABodyThatRaisesCancelledEndsCancelled) {  // semantics 11
  const FutureId id = Running();
  End(id, Outcome::Cancelled("of itself"));
  EXPECT_EQ(StateOf(id), State::kCancelled);
  EXPECT_EQ(ErrorOf(id).message, "of itself");
  EXPECT_EQ(Get(id).cancelling, 0u);
}

TEST_F(CoreTest, AJobCannotBeSettledFromOutside) {  // semantics 13
  const FutureId id = Running();
  EXPECT_EQ(WhyNot(Settle(id, Text("mine")).refusal), base::Reason::kNotAPromise);
  EXPECT_EQ(StateOf(id), State::kRunning);
}

TEST_F(CoreTest, NamesAreKeptAndMissingOnesMade) {  // semantics 14
  Options options;
  options.name = "42 \xe2\x9c\x93";
  EXPECT_EQ(Get(Job(options)).name, options.name);
  EXPECT_THAT(Get(Job()).name, testing::StartsWith("Task-"));
}

TEST_F(CoreTest, TheQueueTimeoutCountsFromTheQueue) {  // semantics 99
  Options options;
  options.delay = seconds(10);
  options.queue_timeout = seconds(2);
  const FutureId id = Job(options);
  Advance(seconds(11));
  EXPECT_EQ(StateOf(id), State::kQueued);
  Advance(seconds(1));
  EXPECT_EQ(StateOf(id), State::kFailed);
  EXPECT_EQ(ErrorOf(id).kind, ErrorKind::kQueueTimedOut);
  EXPECT_THAT(withdrawn, ElementsAre(id));
}

TEST_F(CoreTest, TheQueueTimeoutEndsWithTheQueue) {  // semantics 99
  Options options;
  options.queue_timeout = seconds(2);
  const FutureId id = Running(options);
  Advance(seconds(100));
  EXPECT_EQ(StateOf(id), State::kRunning);
}

Options RunTimeout(base::Duration timeout) {
  Options options;
  options.run_timeout = timeout;
  return options;
}

TEST_F(CoreTest, TheRunTimeoutCountsFromTheStart) {  // semantics 99, 57
  const FutureId id = Job(RunTimeout(seconds(3)));
  scripts[id] = {OnCancel::kEndCancelled, seconds(1)};
  Advance(seconds(60));
  Start(id);
  Advance(seconds(3));
  EXPECT_EQ(StateOf(id), State::kRunning) << "the cancel is a request";
  EXPECT_EQ(cancel_jobs.size(), 1u);
  EXPECT_EQ(Get(id).cancelling, 1u);
  Advance(seconds(1));
  EXPECT_EQ(StateOf(id), State::kFailed);
  EXPECT_EQ(ErrorOf(id).kind, ErrorKind::kTimedOut);
  ASSERT_NE(ErrorOf(id).cause, nullptr);
  EXPECT_EQ(ErrorOf(id).cause->kind, ErrorKind::kCancelled);
  EXPECT_EQ(Get(id).cancelling, 0u);
}

TEST_F(CoreTest, ABodyThatSwallowsTheRunTimeoutsCancelSucceeds) {  // semantics 58
  const FutureId id = Running(RunTimeout(seconds(3)), {OnCancel::kReturn, seconds(0)});
  Advance(seconds(3));
  EXPECT_EQ(StateOf(id), State::kSucceeded);
  EXPECT_EQ(ValueOf(id), "swallowed");
}

TEST_F(CoreTest, AnErrorDuringTheCancellationReplacesTheTimeout) {  // semantics 59
  const FutureId id = Running(RunTimeout(seconds(3)), {OnCancel::kRaise, seconds(0)});
  Advance(seconds(3));
  EXPECT_EQ(StateOf(id), State::kFailed);
  EXPECT_EQ(ErrorOf(id).type, "CleanupError");
}

TEST_F(CoreTest, TheRunTimeoutConvertsOnlyItsOwnCancel) {  // semantics 63
  const FutureId id = Running(RunTimeout(seconds(3)), {OnCancel::kIgnore, seconds(0)});
  EXPECT_EQ(CancelOne(id, "by hand"), CancelEffect::kRequested);
  Advance(seconds(3));
  EXPECT_EQ(Get(id).cancelling, 2u);
  End(id, Outcome::Cancelled("by hand"));
  EXPECT_EQ(StateOf(id), State::kCancelled);
}

TEST_F(CoreTest, ABlockingJobIsTimedOutWhileItsThreadGoesOn) {  // semantics 93, 99
  const FutureId id = Running(RunTimeout(seconds(3)), {}, FunctionKind::kBlocking);
  Advance(seconds(3));
  EXPECT_EQ(StateOf(id), State::kFailed);
  EXPECT_EQ(ErrorOf(id).kind, ErrorKind::kTimedOut);
  ASSERT_EQ(cancel_jobs.size(), 1u);
  EXPECT_TRUE(cancel_jobs[0].abandoned);
  End(id, Text("late"));
  EXPECT_EQ(StateOf(id), State::kFailed);
}

TEST_F(CoreTest, ProgressIsSeenWhileItRuns) {
  const FutureId id = Running();
  EXPECT_EQ(Get(id).progress_time, base::kNever);
  JobProgress progress;
  progress.id = id;
  progress.fraction = 0.25;
  progress.message = "a quarter";
  Run([&] { shard.Apply(std::move(progress), now, out); });
  EXPECT_EQ(Get(id).progress_fraction, 0.25);
  EXPECT_EQ(Get(id).progress_message, "a quarter");
  EXPECT_EQ(Get(id).progress_time, now);
}

TEST_F(CoreTest, TheChangesTellTheWholeStory) {
  const FutureId id = Running();
  End(id, Text("12345"));
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_TRUE(changes[0].created);
  EXPECT_EQ(changes[0].to, State::kQueued);
  EXPECT_EQ(changes[1].from, State::kQueued);
  EXPECT_EQ(changes[1].to, State::kRunning);
  EXPECT_EQ(changes[2].to, State::kSucceeded);
  EXPECT_EQ(changes[2].bytes_held, 5);
}

// --- Whoever ran it is lost
// -------------------------------------------------------------------------------------------

TEST_F(CoreTest, ALostJobRunsAgain) {  // semantics 104
  const FutureId id = Running({OnCancel::kIgnore});
  ASSERT_EQ(starts.size(), 1u);
  Lose(id);
  ASSERT_EQ(starts.size(), 2u);
  EXPECT_EQ(starts[1].attempt, 2u);
  EXPECT_EQ(StateOf(id), State::kQueued);
  End(id, Text("of the lost attempt"));
  EXPECT_EQ(StateOf(id), State::kQueued) << "nothing that it says later is taken";
  Lose(id);
  EXPECT_EQ(starts.size(), 2u) << "said twice";
}

TEST_F(CoreTest, OneThatNeverStartedKeepsItsAttempt) {  // semantics 104
  const FutureId id = Job();
  Lose(id);
  ASSERT_EQ(starts.size(), 2u);
  EXPECT_EQ(starts[1].attempt, 1u);
}

TEST_F(CoreTest, ALostJobThatMayRunOnceIsInterrupted) {  // semantics 104
  Options options;
  options.at_most_once = true;
  const FutureId id = Running(std::move(options));
  Lose(id);
  EXPECT_EQ(starts.size(), 1u);
  EXPECT_EQ(ErrorOf(id).kind, ErrorKind::kInterrupted);
  ExpectNothingLeft();
}

TEST_F(CoreTest, ALostJobThatWasAskedToEndIsCancelled) {  // semantics 104
  const FutureId id = Running({OnCancel::kIgnore});
  CancelOne(id, "enough");
  Lose(id);
  EXPECT_EQ(starts.size(), 1u);
  EXPECT_EQ(StateOf(id), State::kCancelled);
  EXPECT_EQ(ErrorOf(id).message, "enough");
}

TEST_F(CoreTest, ALostJobAwaitsNoMore) {
  const FutureId promise = Promise();
  const FutureId id = Running({OnCancel::kIgnore});
  AwaitIn(id, promise);
  Lose(id);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
  EXPECT_EQ(StateOf(promise), State::kPending);
}

}  // namespace
}  // namespace muster::core
