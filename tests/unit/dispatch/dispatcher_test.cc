// Jobs from ready to reported, on the loop and on the pool.
#include "service/dispatch/dispatcher.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/executor/manual_time.h"
#include "tests/unit/dispatch/fake_host.h"

namespace muster::dispatch {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() {
    EXPECT_TRUE(registry_.AddAsync("echo", "", {}, &Echo).ok());
    EXPECT_TRUE(registry_.AddAsync("rest", "", {}, &Rest).ok());
    EXPECT_TRUE(registry_.AddAsync("ask", "", {}, &Ask).ok());
    const auto stand = [this](jobs::BlockingContext& context, jobs::Payload input) -> absl::StatusOr<jobs::Payload> {
      ++arrived_;
      gate_.Wait();
      if (context.cancelled()) return absl::CancelledError("seen");
      return input;
    };
    EXPECT_TRUE(registry_.AddBlocking("stand", "", {}, stand).ok());
    EXPECT_TRUE(directory_.ServeAll(registry_).ok());
    EXPECT_TRUE(directory_.Know(50, "gone", values::FunctionKind::kAsync).ok());
    EXPECT_TRUE(directory_.Know(51, "gone.blocking", values::FunctionKind::kBlocking).ok());
    for (int i = 0; i < 2; ++i) {
      executor::Loop::Options options;
      options.clock = &clock_;
      options.manual_clock = true;
      threads_.push_back(std::make_unique<executor::LoopThread>(options));
      hosts_.push_back(std::make_unique<FakeHost>(threads_.back()->loop(), directory_, room_));
    }
  }
  ~DispatcherTest() override {
    gate_.Open();
    pool_.Shutdown(seconds(10));
    for (auto& thread : threads_) thread->StopAndJoin();
    hosts_.clear();
  }

  static executor::BlockingPool::Options TwoThreads() {
    executor::BlockingPool::Options options;
    options.threads = 2;
    return options;
  }
  static coro::Task<absl::StatusOr<jobs::Payload>> Echo(jobs::JobContext&, jobs::Payload input) { co_return input; }
  static coro::Task<absl::StatusOr<jobs::Payload>> Rest(jobs::JobContext& context, jobs::Payload input) {
    absl::Status slept = co_await context.Sleep(seconds(1000));
    if (!slept.ok()) co_return slept;
    co_return input;
  }
  // Asks its host for everything that a body may.
  static coro::Task<absl::StatusOr<jobs::Payload>> Ask(jobs::JobContext& context, jobs::Payload input) {
    context.ReportProgress(0.5, "half");
    jobs::ChildCall child("echo", jobs::Payload::Text("x"));
    absl::StatusOr<values::FutureId> submitted = co_await context.Submit(std::move(child));
    jobs::ChildCall unknown("nobody.knows", jobs::Payload());
    absl::StatusOr<values::FutureId> refused = co_await context.Submit(std::move(unknown));
    values::FutureId target;
    target.sequence = 99;
    absl::StatusOr<values::OutcomeRef> awaited = co_await context.Await(target);
    absl::StatusOr<core::CancelEffect> cancelled = co_await context.Cancel(target, "please");
    context.Uncancel();
    if (!submitted.ok() || refused.ok() || !cancelled.ok() || context.name_space() != "default") co_return input;
    co_return (*awaited)->value;
  }

  core::StartJob Job(const std::string& function, uint64_t sequence, const std::string& text = "") {
    const Function& found = *directory_.Find(function);
    core::StartJob start;
    start.id.sequence = sequence;
    start.id.slot = static_cast<uint32_t>(sequence);
    start.function = found.id;
    start.kind = found.kind;
    start.input = jobs::Payload::Text(text);
    return start;
  }
  FakeHost& host(size_t i = 0) { return *hosts_[i]; }
  std::vector<std::string> Reports(size_t i = 0) {
    Quiet();
    return host(i).reports();
  }
  // Bodies on the pool may stand where they are.
  void Quiet() {
    std::vector<executor::Loop*> loops;
    for (auto& thread : threads_) loops.push_back(&thread->loop());
    executor::ManualTime time(clock_, loops, {});
    ASSERT_TRUE(time.WaitUntilQuietBlocking(seconds(20)));
  }
  void WaitForArrivals(int count) {
    while (arrived_.load() < count) Quiet();
    Quiet();
  }
  // All that are on the pool have run to their end, and what found room then, too. (Those that nobody waits for are no
  // matter to ManualTime.)
  void OpenAndWait() {
    gate_.Open();
    for (uint64_t finished = 0;; finished = pool_.stats().finished) {
      Quiet();
      const executor::BlockingPoolStats stats = pool_.stats();
      if (stats.queued + stats.running == 0 && stats.finished == finished) return;
    }
  }
  void Withdraw(uint64_t sequence, size_t i = 0) {
    core::WithdrawJob withdraw;
    withdraw.id = Job("echo", sequence).id;
    host(i).On([&](Dispatcher& dispatcher) { dispatcher.Withdraw(withdraw); });
  }
  void Cancel(uint64_t sequence, bool abandoned) {
    core::CancelJob cancel;
    cancel.id = Job("echo", sequence).id;
    cancel.message = "stop";
    cancel.abandoned = abandoned;
    host().On([&](Dispatcher& dispatcher) { dispatcher.Cancel(cancel); });
  }
  std::optional<WaitsFor> WhyQueued(uint64_t sequence) {
    std::optional<WaitsFor> why;
    host().On([&](Dispatcher& dispatcher) { why = dispatcher.WhyQueued(Job("echo", sequence).id); });
    return why;
  }

  base::ManualClock clock_;
  test::Gate gate_;
  std::atomic<int> arrived_{0};
  jobs::Registry registry_;
  Directory directory_;
  executor::BlockingPool pool_{TwoThreads()};
  PoolRoom room_{pool_};
  std::vector<std::unique_ptr<executor::LoopThread>> threads_;
  std::vector<std::unique_ptr<FakeHost>> hosts_;
};

TEST_F(DispatcherTest, ACoroutineThatEndsAtOnceIsReportedByItsEndAlone) {
  host().Start(Job("echo", 1, "x"));
  EXPECT_THAT(Reports(), ElementsAre("ended 1 x"));
  EXPECT_EQ(host().dispatcher().running(), 0u);
}

TEST_F(DispatcherTest, ACoroutineThatWaitsIsReportedAsStartedAndEndsByItsCancel) {
  host().Start(Job("rest", 1));
  EXPECT_THAT(Reports(), ElementsAre("started 1"));
  EXPECT_EQ(host().dispatcher().running(), 1u);
  Cancel(1, false);
  EXPECT_THAT(Reports(), ElementsAre("started 1", "ended 1 cancelled"));
}

TEST_F(DispatcherTest, ACancelThatIsOnlyCountedWakesNoBody) {  // semantics 8, 12
  host().Start(Job("rest", 1));
  core::CancelJob counted;
  counted.id = Job("rest", 1).id;
  counted.counted_only = true;
  host().On([&](Dispatcher& dispatcher) { dispatcher.Cancel(counted); });
  EXPECT_THAT(Reports(), ElementsAre("started 1"));
  EXPECT_EQ(host().dispatcher().running(), 1u);
  Cancel(1, false);
  EXPECT_THAT(Reports(), ElementsAre("started 1", "ended 1 cancelled"));
}

TEST_F(DispatcherTest, ABodyAsksItsHost) {
  host().Start(Job("ask", 1));
  EXPECT_THAT(Reports(), ElementsAre("started 1", "progressed 1 0.5", "ended 1 awaited"));
  EXPECT_THAT(host().asked(), ElementsAre("submit 0", "1 awaits 99", "cancel 99 please", "uncancel 1"));
}

TEST_F(DispatcherTest, WhatIsWithdrawnBeforeItBeginsNeverRuns) {
  host().On([&](Dispatcher& dispatcher) {
    dispatcher.Start(Job("echo", 1, "x"));
    core::WithdrawJob withdraw;
    withdraw.id = Job("echo", 1).id;
    dispatcher.Withdraw(withdraw);
    core::StartJob next = Job("echo", 2, "y");
    next.id.slot = 1;  // the slot is free again before the ready list has come to the first
    dispatcher.Start(std::move(next));
  });
  EXPECT_THAT(Reports(), ElementsAre("ended 2 y"));
  EXPECT_EQ(host().dispatcher().running(), 0u);
}

TEST_F(DispatcherTest, JobsWaitForThePoolInOneListAndInTheirOrder) {
  for (uint64_t i = 1; i <= 7; ++i) host().Start(Job("stand", i, "x"));
  WaitForArrivals(2);
  EXPECT_THAT(Reports(), ElementsAre("started 1", "started 2"));
  EXPECT_EQ(host().dispatcher().running(), 7u);
  EXPECT_EQ(host().dispatcher().waiting(), 3u);  // two run, and each thread has its next
  EXPECT_EQ(WhyQueued(5), WaitsFor::kRoom);
  EXPECT_EQ(WhyQueued(4), std::nullopt);
  Withdraw(6);  // of those that wait here
  Withdraw(4);  // of those that wait there: its room is the next one's
  EXPECT_EQ(host().dispatcher().waiting(), 1u);
  OpenAndWait();
  std::vector<std::string> started;
  for (const std::string& report : host().reports()) {
    if (report.starts_with("started")) started.push_back(report);
  }
  EXPECT_THAT(started,
              ::testing::UnorderedElementsAre("started 1", "started 2", "started 3", "started 5", "started 7"));
  EXPECT_EQ(host().dispatcher().running(), 0u);
}

TEST_F(DispatcherTest, AThreadThatNobodyWaitsForKeepsItsPlaceUntilItIsDone) {
  for (uint64_t i = 1; i <= 5; ++i) host().Start(Job("stand", i, "x"));
  WaitForArrivals(2);
  Cancel(1, true);
  Cancel(1, true);
  EXPECT_EQ(host().dispatcher().abandoned(), 1u);
  EXPECT_EQ(pool_.stats().abandoned, 1u);
  EXPECT_EQ(WhyQueued(5), WaitsFor::kRoom);
  OpenAndWait();
  EXPECT_EQ(host().dispatcher().abandoned(), 0u);
  EXPECT_THAT(host().reports(), ::testing::Contains("ended 1 cancelled"));
  EXPECT_THAT(host().reports(), ::testing::Contains("ended 5 x"));
}

// The future of an abandoned body may be forgotten and its slot in use again while the body still runs.
TEST_F(DispatcherTest, AnAbandonedBodyDoesNotHideTheNextJobOfItsSlot) {
  host().Start(Job("stand", 1, "x"));
  WaitForArrivals(1);
  Cancel(1, true);
  core::StartJob next = Job("rest", 2);
  next.id.slot = 1;
  host().Start(std::move(next));
  Quiet();
  OpenAndWait();
  EXPECT_THAT(Reports(), ElementsAre("started 1", "started 2", "ended 1 cancelled"));
  core::CancelJob cancel;
  cancel.id = Job("rest", 2).id;
  cancel.id.slot = 1;
  host().On([&](Dispatcher& dispatcher) { dispatcher.Cancel(cancel); });
  EXPECT_THAT(Reports(), ElementsAre("started 1", "started 2", "ended 1 cancelled", "ended 2 cancelled"));
}

TEST_F(DispatcherTest, ALoopGetsTheRoomThatAnotherGivesBack) {
  for (uint64_t i = 1; i <= 4; ++i) host(0).Start(Job("stand", i, "x"));
  WaitForArrivals(2);
  host(1).Start(Job("stand", 9, "y"));
  EXPECT_EQ(host(1).dispatcher().waiting(), 1u);
  host(0).Start(Job("stand", 5, "x"));  // behind it
  Withdraw(4);
  Quiet();
  EXPECT_EQ(host(1).dispatcher().waiting(), 0u);
  EXPECT_EQ(host(0).dispatcher().waiting(), 1u);
  OpenAndWait();
  EXPECT_THAT(Reports(1), ElementsAre("started 9", "ended 9 y"));
  EXPECT_EQ(host(0).dispatcher().running(), 0u);
}

TEST_F(DispatcherTest, AJobThatNobodyServesWaitsUntilSomebodyDoes) {
  host().Start(Job("gone", 1, "a"));
  host().Start(Job("gone", 2, "b"));
  host().Start(Job("gone.blocking", 3, "c"));
  host().Start(Job("echo", 4, "d"));
  EXPECT_THAT(Reports(), ElementsAre("ended 4 d"));
  EXPECT_EQ(WhyQueued(1), WaitsFor::kWorker);
  EXPECT_EQ(host().dispatcher().unserved(), 3u);
  EXPECT_EQ(host().dispatcher().unserved_blocking(), 1u);
  EXPECT_EQ(host().dispatcher().running(), 0u);  // no drain waits for them
  Withdraw(2);
  EXPECT_EQ(host().dispatcher().unserved(), 2u);

  jobs::Registry late;
  ASSERT_TRUE(late.AddAsync("gone", "", {}, &Echo).ok());
  ASSERT_TRUE(directory_.Serve(*late.Find("gone")).ok());
  EXPECT_THAT(Reports(), ElementsAre("ended 4 d", "ended 1 a"));
  EXPECT_EQ(host().dispatcher().unserved(), 1u);
  directory_.Withdraw("gone");
  host().Start(Job("gone", 5, "e"));
  EXPECT_THAT(Reports(), ElementsAre("ended 4 d", "ended 1 a"));
  EXPECT_EQ(WhyQueued(5), WaitsFor::kWorker);
}

TEST_F(DispatcherTest, AllThatHaveWaitedStartWhenTheirFunctionIsServed) {
  constexpr uint64_t kMany = 1'000;  // more than start in one turn
  for (uint64_t i = 1; i <= kMany; ++i) host().Start(Job("gone", i, "x"));
  EXPECT_EQ(host().dispatcher().unserved(), kMany);
  jobs::Registry late;
  ASSERT_TRUE(late.AddAsync("gone", "", {}, &Echo).ok());
  ASSERT_TRUE(directory_.Serve(*late.Find("gone")).ok());
  const std::vector<std::string> reports = Reports();
  ASSERT_EQ(reports.size(), kMany);
  for (uint64_t i = 1; i <= kMany; ++i) ASSERT_EQ(reports[i - 1], fmt::format("ended {} x", i));
  EXPECT_EQ(host().dispatcher().unserved(), 0u);
}

TEST_F(DispatcherTest, AnOperatorMayWantJobsThatNobodyServesToFail) {
  const core::StartJob start = Job("gone", 1);
  directory_.FailUnserved();
  host().Start(start);
  EXPECT_THAT(Reports(), ElementsAre("ended 1 UnknownFunction"));
}

TEST_F(DispatcherTest, WhatMustBeRecordedFirstRunsOnceItIs) {
  host().Journal(true);
  core::StartJob async = Job("echo", 1, "x");
  core::StartJob blocking = Job("stand", 2, "y");
  async.at_most_once = blocking.at_most_once = true;
  host().Start(std::move(async));
  EXPECT_THAT(Reports(), ElementsAre("started 1"));
  host().SayDurable(true);
  EXPECT_THAT(Reports(), ElementsAre("started 1", "ended 1 x"));
  host().Start(std::move(blocking));
  while (host().reports().size() < 3) Quiet();
  EXPECT_EQ(arrived_.load(), 0);
  Quiet();
  host().SayDurable(false);
  OpenAndWait();
  EXPECT_EQ(arrived_.load(), 0);
  EXPECT_THAT(Reports(), ElementsAre("started 1", "ended 1 x", "started 2", "ended 2 cancelled"));
}

TEST_F(DispatcherTest, CancelAllReachesThoseThatRunAndThoseThatWait) {
  host().Start(Job("rest", 10));
  for (uint64_t i = 1; i <= 6; ++i) host().Start(Job("stand", i, "x"));
  WaitForArrivals(2);
  host().On([](Dispatcher& dispatcher) { dispatcher.CancelAll("the end"); });
  OpenAndWait();
  int cancelled = 0;
  for (const std::string& report : Reports()) cancelled += report.ends_with(" cancelled");
  EXPECT_EQ(cancelled, 7);
}

TEST_F(DispatcherTest, AJobForAPoolThatIsGoneFails) {
  pool_.Shutdown(seconds(1));
  for (uint64_t i = 1; i <= 6; ++i) host().Start(Job("stand", i));
  EXPECT_THAT(Reports(), ElementsAre("ended 1 Unavailable", "ended 2 Unavailable", "ended 3 Unavailable",
                                     "ended 4 Unavailable", "ended 5 Unavailable", "ended 6 Unavailable"));
  EXPECT_EQ(host().dispatcher().running(), 0u);
}

// The loops have stopped: what was left goes with its dispatcher.
TEST_F(DispatcherTest, EndsWithJobsLeft) {
  host().Start(Job("gone", 1));
  for (uint64_t i = 2; i <= 7; ++i) host().Start(Job("stand", i));
  WaitForArrivals(2);
}

}  // namespace
}  // namespace muster::dispatch
