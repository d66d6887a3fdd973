#include "tests/unit/runtime/service_fixture.h"

namespace muster::runtime {
namespace {

using core::CancelEffect;
using values::State;

class ServiceJobsTest : public ServiceFixture {};
INSTANTIATE_TEST_SUITE_P(Loops, ServiceJobsTest, EverySetting(), NameOfSetting);

// semantics 5
TEST_P(ServiceJobsTest, CancellingARunningJobIsARequestThatItsBodyHears) {
  const values::FutureId id = SubmitOk(Job("sleep", "100"));
  Quiet();
  EXPECT_EQ(View(id).state, State::kRunning);
  EXPECT_EQ(CancelOne(id, "enough"), CancelEffect::kRequested);
  Quiet();
  EXPECT_EQ(View(id).state, State::kCancelled);
  EXPECT_EQ(View(id).outcome->error->message, "enough");
  EXPECT_EQ(CancelOne(id), CancelEffect::kAlreadyDone);  // semantics 4
}

// semantics 6
TEST_P(ServiceJobsTest, ABodyMaySwallowACancel) {
  const values::FutureId id = SubmitOk(Job("stubborn"));
  Quiet();
  EXPECT_EQ(CancelOne(id, "stop"), CancelEffect::kRequested);
  Quiet();
  EXPECT_EQ(View(id).state, State::kSucceeded);
  EXPECT_EQ(View(id).outcome->value.body(), "no: stop");
  EXPECT_EQ(View(id).cancelling, 1u);
}

// What Task.__step does with a cancel that came after the body's last await (found by tests/conformance). semantics 9,
// 10
TEST_P(ServiceJobsTest, ABodyThatReturnsOverAPendingCancelEndsCancelled) {
  const values::FutureId returns = SubmitOk(Job("cancel_self", "a value"));
  const values::FutureId fails = SubmitOk(Job("cancel_self", "fail"));
  Quiet();
  EXPECT_EQ(View(returns).state, State::kCancelled);
  EXPECT_EQ(View(returns).outcome->error->message, "self");
  EXPECT_EQ(View(returns).cancelling, 1u);
  EXPECT_EQ(View(fails).state, State::kFailed);
}

// semantics 7
TEST_P(ServiceJobsTest, ADelayedJobThatIsCancelledNeverRuns) {
  core::Submit command = Job("gate");
  command.options = std::make_unique<values::Options>();
  command.options->delay = seconds(5);
  const values::FutureId id = SubmitOk(std::move(command));
  EXPECT_EQ(View(id).state, State::kDelayed);
  EXPECT_EQ(CancelOne(id), CancelEffect::kCancelled);
  Advance(seconds(10));
  EXPECT_EQ(View(id).state, State::kCancelled);
  EXPECT_EQ(gate_->arrived(), 0);
}

// semantics 8, 12
TEST_P(ServiceJobsTest, CancellingAJobCancelsWhatItAwaits) {
  const values::FutureId inner = SubmitElsewhere(Job("sleep", "100"), 1);
  const values::FutureId outer = SubmitElsewhere(Job("await", inner.ToText()), 2);
  Quiet();
  EXPECT_EQ(CancelOne(outer, "up the chain"), CancelEffect::kRequested);
  Quiet();
  EXPECT_EQ(View(inner).state, State::kCancelled);
  EXPECT_EQ(View(outer).state, State::kCancelled);
  EXPECT_EQ(View(outer).outcome->error->message, "up the chain");
  EXPECT_EQ(View(outer).cancelling, 1u);
}

// semantics 12
TEST_P(ServiceJobsTest, WhatTheAwaitedMakesOfTheCancelIsWhatTheAwaiterGets) {
  const values::FutureId inner = SubmitElsewhere(Job("stubborn"), 1);
  const values::FutureId outer = SubmitElsewhere(Job("await", inner.ToText()), 2);
  Quiet();
  EXPECT_EQ(CancelOne(outer, "stop"), CancelEffect::kRequested);
  Quiet();
  EXPECT_EQ(View(outer).state, State::kSucceeded);
  EXPECT_EQ(View(outer).outcome->value.body(), "no: stop");
}

// semantics 9, 12
TEST_P(ServiceJobsTest, ABodyCountsTheCancelsThatWentToWhatItAwaits) {
  const values::FutureId inner = SubmitElsewhere(Job("stubborn"), 1);
  const values::FutureId outer = SubmitElsewhere(Job("count", inner.ToText()), 2);
  Quiet();
  core::FutureSet set;
  set.ids = {outer};
  ASSERT_TRUE(On(0, service_->Cancel(ns_.id, set, "one")).ok());
  Quiet();
  EXPECT_EQ(View(outer).outcome->value.body(), "1 no: one went on");
  EXPECT_EQ(View(outer).cancelling, 0u);
}

// semantics 15
TEST_P(ServiceJobsTest, AJobThatAwaitsItselfFails) {
  const values::FutureId id = SubmitOk(Job("await", "self"));
  Quiet();
  EXPECT_EQ(View(id).state, State::kFailed);
}

TEST_P(ServiceJobsTest, ABodySubmitsGathersAndAwaits) {
  const values::FutureId id = SubmitOk(Job("parent", "p"));
  Quiet();
  ASSERT_EQ(View(id).state, State::kSucceeded);
  EXPECT_EQ(View(id).outcome->value.body(), "p0 p1 ");
}

// semantics 91, 93
TEST_P(ServiceJobsTest, ABlockingJobIsCancelledAtOnceWhileItsThreadGoesOn) {
  const values::FutureId id = SubmitOk(Job("gate"));
  gate_->WaitForArrivals(1);
  while (View(id).state != State::kRunning) {
  }
  EXPECT_EQ(CancelOne(id), CancelEffect::kCancelled);
  EXPECT_EQ(View(id).state, State::kCancelled);
  EXPECT_EQ(Stats().abandoned, 1u);
  gate_->Open();
  // An abandoned thread is no work that anything waits for: it ends when it ends.
  while (Stats().abandoned != 0) {
  }
  EXPECT_EQ(View(id).state, State::kCancelled);
}

// semantics 7, 91
TEST_P(ServiceJobsTest, ABlockingJobThatIsStillQueuedIsWithdrawn) {
  const values::FutureId one = SubmitOk(Job("gate"));
  const values::FutureId two = SubmitOk(Job("gate"));
  gate_->WaitForArrivals(2);
  const values::FutureId queued = SubmitOk(Job("gate"));
  EXPECT_EQ(View(queued).state, State::kQueued);
  EXPECT_EQ(CancelOne(queued), CancelEffect::kCancelled);
  gate_->Open();
  Quiet();
  EXPECT_EQ(gate_->arrived(), 2);
  EXPECT_EQ(View(one).state, State::kSucceeded);
  EXPECT_EQ(View(two).state, State::kSucceeded);
}

// semantics 99
TEST_P(ServiceJobsTest, RunAndQueueTimeoutsAreClocksOfTheirOwn) {
  core::Submit slow = Job("sleep", "100");
  slow.options = std::make_unique<values::Options>();
  slow.options->run_timeout = seconds(3);
  slow.options->queue_timeout = seconds(1);
  const values::FutureId ran = SubmitOk(std::move(slow));
  SubmitOk(Job("gate"));
  SubmitOk(Job("gate"));
  gate_->WaitForArrivals(2);
  core::Submit waits = Job("gate");
  waits.options = std::make_unique<values::Options>();
  waits.options->queue_timeout = seconds(1);
  const values::FutureId queued = SubmitOk(std::move(waits));
  const auto pass = [this](base::Duration by) {
    clock_.Advance(by);
    for (auto& loop : loops_) loop->loop().Poke();
  };
  pass(seconds(2));
  while (View(queued).state == State::kQueued) {
  }
  EXPECT_EQ(View(queued).outcome->error->kind, values::ErrorKind::kQueueTimedOut);
  EXPECT_EQ(View(ran).state, State::kRunning);
  pass(seconds(2));
  while (View(ran).state == State::kRunning) {
  }
  EXPECT_EQ(View(ran).outcome->error->kind, values::ErrorKind::kTimedOut);
  gate_->Open();
}

// semantics 21
TEST_P(ServiceJobsTest, AnAttachedSubmissionTellsItsReceiverWithoutACoroutine) {
  struct Recorder final : CallReceiver {
    void OnAccepted(const SubmitAnswer&) override { ++accepted; }
    void OnRejected(const absl::Status&) override { ++rejected; }
    void OnDone(core::Completion completion) override { body = completion.outcome->value.body(); }
    int accepted = 0;
    int rejected = 0;
    std::string body;
  };
  Recorder recorder;
  struct Submitter {
    static coro::Task<void> Run(Service& service, core::Submit command, Recorder& to) {
      service.SubmitAttached(std::move(command), &to);
      co_return;
    }
  };
  On(0, Submitter::Run(*service_, Job("echo", "attached"), recorder));
  Quiet();
  EXPECT_EQ(recorder.accepted, 1);
  EXPECT_EQ(recorder.body, "attached");
  EXPECT_EQ(Stats().shards.futures, 0u);
}

}  // namespace
}  // namespace muster::runtime
