// What is held back until it is durable, and what is not.
#include "tests/unit/runtime/durable_fixture.h"

namespace muster::runtime {
namespace {

using values::State;

class HeldTest : public DurableFixture {};
INSTANTIATE_TEST_SUITE_P(Loops, HeldTest, JournaledSettings(), NameOfSetting);

TEST_P(HeldTest, NoAnswerComesOutBeforeWhatItRestsOnIsDurable) {
  core::Submit grouped = Job("rest");
  grouped.options = std::make_unique<values::Options>();
  grouped.options->group = "g";
  const values::FutureId running = SubmitOk(std::move(grouped));
  const values::FutureId promise = SubmitOk(Spec(values::PromiseSpec{}));
  Quiet();
  gated_->Close();
  auto settle = AskSettle(promise, "settled");
  gated_->WaitForArrivals(1);
  LoopsQuiet();
  auto submit = AskSubmit(Job("run"));
  LoopsQuiet();
  auto cancel = AskCancel(running);
  auto get = AskGet(promise);
  auto get_elsewhere = AskGet(promise, 1);
  auto wait = AskWait({promise}, 1);
  auto call = AskCall(Job("run"));
  auto next = AskNext({promise});
  auto list = AskList(1);
  auto group = AskGroup("g", 2);
  auto known = AskSettle(promise, "again");
  LoopsQuiet();
  EXPECT_FALSE(settle->answered());
  EXPECT_FALSE(submit->answered());
  EXPECT_FALSE(cancel->answered());
  EXPECT_FALSE(get->answered());
  EXPECT_FALSE(get_elsewhere->answered());
  EXPECT_FALSE(wait->answered());
  EXPECT_FALSE(call->answered());
  EXPECT_FALSE(next->answered());
  EXPECT_FALSE(list->answered());
  EXPECT_FALSE(group->answered());
  EXPECT_FALSE(known->answered());
  // Jobs start without waiting: both of these have run.
  EXPECT_EQ(AllRuns(), 3u);
  gated_->Open();
  EXPECT_TRUE(settle->Take().ok());
  EXPECT_TRUE(submit->Take().ok());
  EXPECT_EQ(cancel->Take()->front().second, core::CancelEffect::kRequested);
  EXPECT_EQ(get->Take()->outcome->value.body(), "settled");
  EXPECT_EQ(get_elsewhere->Take()->outcome->value.body(), "settled");
  EXPECT_EQ(wait->Take()->done.size(), 1u);
  EXPECT_TRUE(call->Take().ok());
  EXPECT_EQ(next->Take()->completions.size(), 1u);
  EXPECT_FALSE(list->Take()->futures.empty());
  EXPECT_EQ(group->Take()->size(), 1u);
  EXPECT_EQ(base::ReasonOf(known->Take().status()), base::Reason::kAlreadyDone);
  EXPECT_LT(settle->place(), submit->place());
  EXPECT_LT(submit->place(), cancel->place());
}

TEST_P(HeldTest, AnswersOfOneLoopComeOutInOrder) {
  gated_->Close();
  std::vector<std::unique_ptr<Asked<absl::StatusOr<SubmitAnswer>>>> asked;
  for (int i = 0; i < 10; ++i) {
    asked.push_back(AskSubmit(Spec(values::PromiseSpec{})));
    LoopsQuiet();  // a turn each
  }
  EXPECT_EQ(gated_->arrived(), 1);  // while one is under way, the others gather
  const int before = gated_->appends();
  gated_->Open();
  Quiet();
  EXPECT_EQ(gated_->appends(), before + 2);
  for (size_t i = 0; i < asked.size(); ++i) {
    EXPECT_TRUE(asked[i]->Take().ok());
    if (i == 0) continue;
    EXPECT_LT(asked[i - 1]->place(), asked[i]->place());
  }
}

TEST_P(HeldTest, AnAttachedSubmissionHearsNothingEarlier) {
  struct Recorder final : CallReceiver {
    void OnAccepted(const SubmitAnswer&) override { ++heard; }
    void OnRejected(const absl::Status&) override { ++heard; }
    void OnDone(core::Completion) override { ++heard; }
    std::atomic<int> heard{0};
  };
  struct Submitter {
    static coro::Task<void> Run(Service& service, core::Submit command, Recorder& to) {
      service.SubmitAttached(std::move(command), &to);
      co_return;
    }
  };
  Recorder recorder;
  gated_->Close();
  On(0, Submitter::Run(*service_, Requested(Job("run"), "attached"), recorder));
  gated_->WaitForArrivals(1);
  LoopsQuiet();
  EXPECT_EQ(recorder.heard.load(), 0);
  EXPECT_EQ(AllRuns(), 1u);
  gated_->Open();
  Quiet();
  EXPECT_EQ(recorder.heard.load(), 2);
}

TEST_P(HeldTest, AReadThatRestsOnNothingUndurableIsAnsweredAtOnce) {
  const values::FutureId done = SubmitOk(Job("echo", "x"));
  Quiet();
  gated_->Close();
  EXPECT_EQ(View(done).outcome->value.body(), "x");
  EXPECT_EQ(View(done, 1).outcome->value.body(), "x");
  EXPECT_EQ(Wait({done}, values::ReturnWhen::kAllCompleted)->done.size(), 1u);
  EXPECT_EQ(gated_->arrived(), 0);
}

TEST_P(HeldTest, MessagesBetweenShardsWaitToo) {
  std::vector<values::FutureId> members;
  for (int i = 0; i < 6; ++i) members.push_back(SubmitElsewhere(Spec(values::PromiseSpec{}), i));
  values::GatherSpec gather;
  gather.members = members;
  const values::FutureId all = SubmitOk(Spec(std::move(gather)));
  for (size_t i = 1; i < members.size(); ++i) Settle(members[i], "x");
  Quiet();
  ASSERT_EQ(View(all).state, State::kPending);
  gated_->Close();
  auto settle = AskSettle(members[0], "first");
  gated_->WaitForArrivals(1);
  LoopsQuiet();
  const auto left = test::CopyOf(*disk_);
  EXPECT_FALSE(settle->answered());
  if (all.shard % loops_.size() != members[0].shard % loops_.size()) {
    EXPECT_EQ(View(all).state, State::kPending);
  }
  gated_->Open();
  EXPECT_TRUE(settle->Take().ok());
  Quiet();
  EXPECT_EQ(View(all).state, State::kSucceeded);
  // The gather cannot have been seen done by a server that had lost the settle.
  StartAgainFrom(left);
  EXPECT_EQ(View(all).state, State::kPending);
  EXPECT_EQ(View(members[0]).state, State::kPending);
}

TEST_P(HeldTest, ABodyAwaitsUntilWhatItAwaitsIsDurable) {
  const values::FutureId promise = SubmitElsewhere(Spec(values::PromiseSpec{}), 1);
  const values::FutureId body = SubmitElsewhere(Job("await", promise.ToText()), 2);
  Quiet();
  gated_->Close();
  auto settle = AskSettle(promise, "x");
  gated_->WaitForArrivals(1);
  LoopsQuiet();
  EXPECT_EQ(service_->RunningJobs(), 1u);  // its body has not gone on
  gated_->Open();
  EXPECT_TRUE(settle->Take().ok());
  Quiet();
  EXPECT_EQ(View(body).outcome->value.body(), "x");
  EXPECT_EQ(service_->RunningJobs(), 0u);
}

// wire.md, "Start and durability"
TEST_P(HeldTest, AnAtMostOnceJobStartsOnlyOnceItsStartIsRecorded) {
  for (const std::string function : {"run", "run-blocking"}) {
    const size_t runs = AllRuns();
    gated_->Close();
    auto submit = AskSubmit(Once(Job(function)));
    gated_->WaitForArrivals(1);
    LoopsQuiet();
    EXPECT_EQ(AllRuns(), runs) << function;
    gated_->Open();
    const values::FutureId id = submit->Take()->id;
    Quiet();
    EXPECT_EQ(AllRuns(), runs + 1) << function;
    EXPECT_EQ(View(id).state, State::kSucceeded);
  }
}

TEST_P(HeldTest, AnAtMostOnceJobWhoseStartIsNotRecordedNeverRuns) {
  for (const std::string function : {"run", "run-blocking"}) {
    gated_->Close();
    auto submit = AskSubmit(Once(Job(function)));
    gated_->WaitForArrivals(1);
    LoopsQuiet();
    const auto left = test::CopyOf(*disk_);
    gated_->FailAfter(0);
    gated_->Open();
    EXPECT_EQ(ReasonFor(submit->Take().status()), base::Reason::kStoreFailed);
    Quiet();
    EXPECT_EQ(service_->RunningJobs(), 0u);
    EXPECT_EQ(AllRuns(), 0u) << function;
    StartAgainFrom(left, loops_now_);
    Quiet();
    EXPECT_EQ(AllRuns(), 0u) << function;
  }
}

// What is frozen records nothing, so nothing that must be recorded first begins.
TEST_P(HeldTest, AnAtMostOnceJobDoesNotStartWhileTheServerEnds) {
  std::vector<values::FutureId> filling = {SubmitOk(Job("stand")), SubmitOk(Job("stand"))};
  WaitForRuns(2);
  const values::FutureId queued = SubmitOk(Once(Job("run-blocking")));
  gated_->Close();
  auto held = AskSubmit(Spec(values::PromiseSpec{}), 0);  // something is under way when the start is to be recorded
  gated_->WaitForArrivals(1);
  service_->CancelAllJobs("the end");
  LoopsQuiet();
  gate_->Open();
  // The pool's thread asks its loop, and stands there for as long as the gate is closed, or is refused at once.
  while (pool_->stats().queued > 0) {
  }
  LoopsQuiet();
  gated_->Open();
  EXPECT_TRUE(held->Take().ok());
  Quiet();
  EXPECT_TRUE(RunsOf(queued).empty());
  StartAgain();
  gate_->Open();
  Quiet();
  EXPECT_EQ(RunsOf(queued).size(), 1u);
  EXPECT_EQ(View(queued).state, State::kSucceeded);
}

TEST_P(HeldTest, SubmitAndOutcomeOfAShortJobShareACommit) {
  const int before = gated_->appends();
  const values::FutureId id = SubmitOk(Job("echo", "x"));
  EXPECT_EQ(gated_->appends(), before + 1);
  EXPECT_EQ(View(id).state, State::kSucceeded);
  Quiet();
  EXPECT_EQ(gated_->appends(), before + 1);
}

coro::Task<void> SubmitSome(Service& service, std::vector<core::Submit> commands) {
  coro::Scope scope;
  struct One {
    static coro::Task<void> Submit(Service& s, core::Submit command) {
      absl::StatusOr<SubmitAnswer> answer = co_await s.Submit(std::move(command));
      EXPECT_TRUE(answer.ok());
    }
  };
  for (core::Submit& command : commands) scope.Spawn(One::Submit(service, std::move(command)));
  coro::CancelToken token;
  absl::Status joined = co_await scope.Join(token);
  EXPECT_TRUE(joined.ok());
}

TEST_P(HeldTest, ManySubmitsOfOneTurnShareACommit) {
  std::vector<core::Submit> commands;
  for (int i = 0; i < 50; ++i) commands.push_back(Spec(values::PromiseSpec{}));
  const int before = gated_->appends();
  On(0, SubmitSome(*service_, std::move(commands)));
  EXPECT_EQ(gated_->appends(), before + 1);
}

TEST_P(HeldTest, ACallThatLeavesNothingCostsNoAppend) {
  Quiet();
  const int before = gated_->appends();
  const size_t rows = gated_->rows();
  gated_->Close();
  for (int loop = 0; loop < 3; ++loop) {
    auto completion = AskCall(Job("echo", "x"), loop)->Take();
    ASSERT_TRUE(completion.ok());
    EXPECT_EQ(completion->outcome->value.body(), "x");
  }
  EXPECT_EQ(gated_->appends(), before);
  EXPECT_EQ(gated_->rows(), rows);
}

// Of futures that leave no row only their number is recorded, now and then: a position in a stream must not come again.
TEST_P(HeldTest, MarksAreWrittenWhenTheyAreFarBehind) {
  Quiet();
  const size_t rows = gated_->rows();
  struct Caller {
    static coro::Task<void> Many(Service& service, std::function<core::Submit()> make, int n) {
      for (int i = 0; i < n; ++i) {
        coro::CancelToken token;
        core::Submit command = make();
        auto completion = co_await service.Call(std::move(command), token, false);
        EXPECT_TRUE(completion.ok());
      }
    }
  };
  std::function<core::Submit()> make = [this] { return Job("echo"); };
  On(0, Caller::Many(*service_, make, (1 << 16) + 2));
  Quiet();
  EXPECT_EQ(gated_->rows(), rows + 1);
}

}  // namespace
}  // namespace muster::runtime
