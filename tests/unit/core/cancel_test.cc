#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

TEST_F(CoreTest, CancellingWhatIsDoneChangesNothing) {  // semantics 4
  const FutureId job = Running();
  End(job, Text("done"));
  EXPECT_EQ(CancelOne(job), CancelEffect::kAlreadyDone);
  EXPECT_EQ(StateOf(job), State::kSucceeded);
  EXPECT_EQ(Get(job).cancelling, 0u);
  EXPECT_THAT(cancel_jobs, IsEmpty());
}

TEST_F(CoreTest, APromiseIsCancelledAtOnce) {  // semantics 5
  const FutureId id = Promise();
  EXPECT_EQ(CancelOne(id), CancelEffect::kCancelled);
  EXPECT_EQ(StateOf(id), State::kCancelled);
}

TEST_F(CoreTest, CancellingARunningJobIsARequest) {  // semantics 5, 9
  const FutureId id = Running({OnCancel::kEndCancelled, seconds(1)});
  EXPECT_EQ(CancelOne(id, "stop"), CancelEffect::kRequested);
  EXPECT_EQ(StateOf(id), State::kRunning);
  EXPECT_EQ(Get(id).cancelling, 1u);
  ASSERT_EQ(cancel_jobs.size(), 1u);
  EXPECT_EQ(cancel_jobs[0].message, "stop");
  EXPECT_FALSE(cancel_jobs[0].abandoned);
  Advance(seconds(1));
  EXPECT_EQ(StateOf(id), State::kCancelled);
  EXPECT_EQ(ErrorOf(id).message, "stop");  // semantics 8
}

TEST_F(CoreTest, AJobMaySwallowTheCancel) {  // semantics 6
  const FutureId id = Running({OnCancel::kReturn, seconds(0)});
  CancelOne(id);
  Quiesce();
  EXPECT_EQ(StateOf(id), State::kSucceeded);
  EXPECT_EQ(Get(id).cancelling, 1u);
}

TEST_F(CoreTest, AQueuedJobNeverRunsOnceCancelled) {  // semantics 7, 91
  const FutureId id = Job();
  EXPECT_EQ(CancelOne(id, "no"), CancelEffect::kCancelled);
  EXPECT_EQ(StateOf(id), State::kCancelled);
  EXPECT_THAT(withdrawn, ElementsAre(id));
  Start(id);
  EXPECT_EQ(StateOf(id), State::kCancelled);
  EXPECT_EQ(Get(id).start_time, base::kNever);
}

TEST_F(CoreTest, ADelayedJobIsNeverQueuedOnceCancelled) {  // semantics 7
  Options options;
  options.delay = seconds(1);
  const FutureId id = Job(options);
  EXPECT_EQ(CancelOne(id), CancelEffect::kCancelled);
  Advance(seconds(2));
  EXPECT_THAT(starts, IsEmpty());
  EXPECT_THAT(withdrawn, IsEmpty());
}

TEST_F(CoreTest, EachCancelCountsAndUncancelTakesOneBack) {  // semantics 9, 10
  const FutureId id = Running({OnCancel::kIgnore});
  CancelOne(id);
  CancelOne(id);
  EXPECT_EQ(Get(id).cancelling, 2u);
  Uncancel command;
  command.id = id;
  for (uint32_t left : {1u, 0u, 0u}) {
    Run([&] { shard.Apply(command, now, out); });
    EXPECT_EQ(Get(id).cancelling, left);
  }
  End(id, Text("went on"));
  EXPECT_EQ(StateOf(id), State::kSucceeded);
}

TEST_F(CoreTest, ABlockingJobIsCancelledWhileItsThreadGoesOn) {  // semantics 93
  const FutureId id = Running({}, FunctionKind::kBlocking);
  EXPECT_EQ(CancelOne(id), CancelEffect::kCancelled);
  EXPECT_EQ(StateOf(id), State::kCancelled);
  ASSERT_EQ(cancel_jobs.size(), 1u);
  EXPECT_TRUE(cancel_jobs[0].abandoned);
  End(id, Text("late"));
  EXPECT_EQ(StateOf(id), State::kCancelled);
}

TEST_F(CoreTest, ProcessesAndWorkersAreAsked) {
  for (FunctionKind kind : {FunctionKind::kProcess, FunctionKind::kRemote}) {
    const FutureId id = Running({OnCancel::kEndCancelled, seconds(1)}, kind);
    EXPECT_EQ(CancelOne(id), CancelEffect::kRequested);
    EXPECT_EQ(StateOf(id), State::kRunning);
    Advance(seconds(1));
    EXPECT_EQ(StateOf(id), State::kCancelled);
  }
}

TEST_F(CoreTest, CancelReportsEachIdInTheOrderAsked) {
  const FutureId done = Promise();
  Settle(done, Text(""));
  const FutureId promise = Promise();
  const FutureId job = Running({OnCancel::kIgnore});
  FutureId unknown = promise;
  unknown.sequence += 1000;
  EXPECT_THAT(CancelAll({job, unknown, promise, done, promise}),
              ElementsAre(CancelEffect::kRequested, CancelEffect::kNotFound, CancelEffect::kCancelled,
                          CancelEffect::kAlreadyDone, CancelEffect::kAlreadyDone));
}

TEST_F(CoreTest, CancellingAGroupReachesItsLiveMembers) {
  Options options;
  options.group = "g";
  const FutureId ended = Job(options);
  const FutureId a = Job(options);
  const FutureId b = Job(options);
  const FutureId other = Job();
  End(ended, Text(""));
  Cancel command;
  command.token = 1000;
  command.ns = kNs;
  command.set.group = "g";
  Run([&] { shard.Apply(std::move(command), now, out); });
  EXPECT_THAT(cancels.at(1000).effects,
              ElementsAre(std::make_pair(a, CancelEffect::kCancelled), std::make_pair(b, CancelEffect::kCancelled)));
  EXPECT_EQ(StateOf(other), State::kQueued);
}

TEST_F(CoreTest, WaitersAreToldWithTheMessage) {  // semantics 8
  const FutureId promise = Promise();
  const Token wait = Wait({promise});
  CancelOne(promise, "the message");
  EXPECT_EQ(waits.at(wait).done.at(0).outcome->error->message, "the message");
}

}  // namespace
}  // namespace muster::core
