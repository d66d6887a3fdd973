#include "service/executor/loop.h"

#include <atomic>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "service/coro/event.h"
#include "service/coro/scope.h"
#include "service/coro/sleep.h"
#include "service/executor/condvar_poller.h"
#include "service/executor/manual_time.h"
#include "service/executor/sync_wait.h"
#include "service/executor/watchdog.h"
#include "tests/support/co_assert.h"
#include "tests/support/gate.h"

namespace muster::executor {
namespace {

using coro::CancelToken;
using coro::Task;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Gate;

Task<int> SleepThenSeven() {
  CancelToken token;
  const absl::Status status = co_await coro::Sleep(token, milliseconds(2));
  co_return status.ok() ? 7 : 0;
}

TEST(LoopTest, RunsATaskOnItsOwnThreadOrOnThisOne) {
  LoopThread thread(Loop::Options{});
  EXPECT_EQ(SyncWait(thread.loop(), SleepThenSeven()), 7);
  EXPECT_EQ(SyncWait(SleepThenSeven()), 7);
  EXPECT_EQ(Loop::Current(), nullptr);
}

TEST(LoopTest, SeveralLoopsTakeTurnsOnOneThread) {
  base::ManualClock clock;
  Loop::Options options;
  options.clock = &clock;
  options.manual_clock = true;
  Loop one(options, std::make_unique<CondVarPoller>());
  Loop other(options, std::make_unique<CondVarPoller>());
  EXPECT_FALSE(one.ready());
  std::vector<Loop*> ran;
  const auto note = [&ran] { ran.push_back(Loop::Current()); };
  one.Post([&] {
    note();
    other.Post(note);
  });
  EXPECT_TRUE(one.ready());
  EXPECT_FALSE(other.ready());
  one.TurnOnce();
  EXPECT_TRUE(other.ready());
  other.TurnOnce();
  EXPECT_EQ(ran, (std::vector<Loop*>{&one, &other}));
  EXPECT_EQ(Loop::Current(), nullptr);

  struct Noting final : coro::Timer {
    explicit Noting(bool& f) : Timer([](coro::Timer& self) { static_cast<Noting&>(self).fired = true; }), fired(f) {}
    bool& fired;
  };
  bool fired = false;
  Noting timer(fired);
  one.AddTimer(timer, clock.Now() + seconds(5));
  EXPECT_EQ(one.first_deadline(), clock.Now() + seconds(5));
  one.TurnOnce();
  EXPECT_FALSE(fired || one.ready());
  clock.AdvanceTo(one.first_deadline());
  EXPECT_TRUE(one.ready());
  one.TurnOnce();
  EXPECT_TRUE(fired);
}

TEST(LoopTest, PostsOfEachThreadArriveOnceAndInOrder) {
  constexpr int kThreads = 4;
  constexpr int kEach = 20'000;
  LoopThread thread(Loop::Options{});
  std::vector<int> next(kThreads, 0);
  std::atomic<int> out_of_order{0};
  {
    std::vector<base::Thread> posters;
    for (int t = 0; t < kThreads; ++t) {
      posters.emplace_back("poster", [&, t] {
        for (int i = 0; i < kEach; ++i) {
          thread.loop().Post([&, t, i] {
            if (next[t]++ != i || Loop::Current() != &thread.loop()) ++out_of_order;
          });
        }
      });
    }
  }
  thread.StopAndJoin();  // what was posted before Stop still runs
  EXPECT_EQ(next, std::vector<int>(kThreads, kEach));
  EXPECT_EQ(out_of_order, 0);
}

class Numbered final : public coro::Runnable {
 public:
  Numbered(int number, std::vector<int>& log) : Runnable(&Note), number_(number), log_(log) {}

 private:
  static void Note(coro::Runnable& runnable) {
    auto& self = static_cast<Numbered&>(runnable);
    self.log_.push_back(self.number_);
  }
  const int number_;
  std::vector<int>& log_;
};

TEST(LoopTest, AWholeListIsPostedInOrder) {
  std::vector<int> log;
  std::vector<std::unique_ptr<Numbered>> numbered;
  coro::RemoteInbox inbox;
  for (int size : {1, 3, 1, 2}) {
    coro::RunnableList list;
    for (int i = 0; i < size; ++i) {
      numbered.push_back(std::make_unique<Numbered>(static_cast<int>(numbered.size()), log));
      list.PushBack(*numbered.back());
    }
    const bool was_empty = inbox.empty();
    EXPECT_EQ(inbox.Push(std::move(list)), was_empty);
  }
  coro::RunnableList all = inbox.Take();
  EXPECT_TRUE(inbox.empty());
  while (coro::Runnable* runnable = all.PopFront()) runnable->Run();
  EXPECT_EQ(log, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(LoopTest, AnIdleLoopWakesForEachPost) {
  // No spin: every post finds the loop asleep or falling asleep, which is where a wake-up could be lost.
  Loop::Options options;
  options.spin = base::Duration::zero();
  LoopThread thread(std::move(options));
  for (int i = 0; i < 2000; ++i) {
    Gate ran;
    thread.loop().Post([&] { ran.Open(); });
    ran.Wait();
  }
  EXPECT_GE(thread.loop().stats().wakes, 1u);
}

Task<void> YieldUntil(const bool& stop, int& yields) {
  CancelToken token;
  while (!stop) {
    const absl::Status status = co_await coro::Yield(token);
    CO_ASSERT_OK(status);
    ++yields;
  }
}

Task<void> StopAfterTurns(bool& stop, int turns) {
  CancelToken token;
  for (int i = 0; i < turns; ++i) {
    const absl::Status status = co_await coro::Yield(token);
    CO_ASSERT_OK(status);
  }
  stop = true;
}

Task<int> TwoYielders() {
  bool stop = false;
  int yields = 0;
  CancelToken token;
  coro::Scope scope;
  scope.Spawn(YieldUntil(stop, yields));
  scope.Spawn(StopAfterTurns(stop, 100));
  const absl::Status status = co_await scope.Join(token);
  EXPECT_TRUE(status.ok());
  co_return yields;
}

TEST(LoopTest, AYieldGoesToTheNextTurn) {
  const int yields = SyncWait(TwoYielders());
  EXPECT_GE(yields, 99);
  EXPECT_LE(yields, 101);
}

// Schedules itself for ever: a stream that never runs dry.
class Greedy final : public coro::Runnable {
 public:
  explicit Greedy(coro::Executor& executor) : Runnable(&Again), executor_(executor) {}
  bool stop = false;
  int runs = 0;

 private:
  static void Again(coro::Runnable& runnable) {
    auto& self = static_cast<Greedy&>(runnable);
    ++self.runs;
    if (!self.stop) self.executor_.Schedule(self);
  }
  coro::Executor& executor_;
};

Task<int> SleepBesideGreedy() {
  Greedy greedy(*coro::Executor::Current());
  coro::Executor::Current()->Schedule(greedy);
  CancelToken token;
  const absl::Status status = co_await coro::Sleep(token, milliseconds(3));
  EXPECT_TRUE(status.ok());
  greedy.stop = true;
  const absl::Status last = co_await coro::Yield(token);
  EXPECT_TRUE(last.ok());
  co_return greedy.runs;
}

TEST(LoopTest, TheTurnsBudgetLetsTimersThroughBesideEndlessWork) {
  LoopThread thread(Loop::Options{});
  EXPECT_GT(SyncWait(thread.loop(), SleepBesideGreedy()), 256);
  EXPECT_GT(thread.loop().stats().turns, 2u);
}

TEST(LoopTest, TurnHooksRunAfterTheTurnsWork) {
  Loop loop(Loop::Options{}, std::make_unique<CondVarPoller>());
  std::vector<int> log;
  loop.AddTurnHook([&] { log.push_back(0); });
  loop.Post([&] { log.push_back(1); });
  loop.Post([&] {
    log.push_back(2);
    loop.Stop();
  });
  loop.Run();
  ASSERT_GE(log.size(), 3u);
  EXPECT_EQ(log[0], 1);
  EXPECT_EQ(log[1], 2);
  EXPECT_EQ(log[2], 0);
}

TEST(LoopTest, StopFromManyThreadsAtOnceIsHarmless) {
  for (int i = 0; i < 200; ++i) {
    Loop::Options options;
    if (i % 2 == 0) options.spin = base::Duration::zero();
    LoopThread thread(std::move(options));
    base::Thread a("stopper", [&] { thread.loop().Stop(); });
    base::Thread b("stopper", [&] { thread.loop().Stop(); });
    thread.StopAndJoin();
  }
}

// A poller that checks what Loop promises about Wake.
class StrictPoller final : public Poller {
 public:
  Result Poll(base::Duration timeout) override {
    const Result result = inner_.Poll(timeout);
    if (result == Result::kWoken) pending_.store(0);
    return result;
  }
  void Wake() override {
    EXPECT_FALSE(shut_down_.load()) << "Wake after Shutdown";
    EXPECT_EQ(pending_.fetch_add(1), 0) << "a second Wake before the first was reported";
    inner_.Wake();
  }
  void Shutdown() override {
    shut_down_.store(true);
    inner_.Shutdown();
  }

 private:
  CondVarPoller inner_;
  std::atomic<int> pending_{0};
  std::atomic<bool> shut_down_{false};
};

TEST(LoopTest, WakesThePollerOnceAtATimeAndNeverAfterShutdown) {
  for (int round = 0; round < 50; ++round) {
    Loop::Options options;
    options.spin = base::Duration::zero();
    LoopThread thread(std::move(options), std::make_unique<StrictPoller>());
    std::atomic<int> ran{0};
    {
      std::vector<base::Thread> posters;
      for (int t = 0; t < 3; ++t) {
        posters.emplace_back("poster", [&] {
          for (int i = 0; i < 200; ++i) thread.loop().Post([&] { ++ran; });
        });
      }
    }
    base::Thread stopper("stopper", [&] { thread.loop().Stop(); });
    thread.StopAndJoin();
    EXPECT_EQ(ran, 600);
  }
}

// Posts from within Now(), when it is armed.
class PostingClock final : public base::Clock {
 public:
  base::Instant Now() const override {
    if (armed) {
      armed = false;
      loop->Post([this] {
        if (--left == 0) {
          all.Open();
        } else {
          armed = true;
        }
      });
    }
    return clock_.Now();
  }
  mutable bool armed = false;  // the loop's thread only, as the rest
  mutable int left = 10;
  mutable Gate all;
  Loop* loop = nullptr;

 private:
  base::SystemClock clock_;
};

TEST(LoopTest, APostBetweenTheLastLookAndSleepIsSeen) {
  PostingClock clock;
  coro::Timer timer([](coro::Timer&) {});
  Loop::Options options;
  options.clock = &clock;
  options.spin = base::Duration::zero();
  LoopThread thread(std::move(options));
  clock.loop = &thread.loop();
  // With a timer armed the loop looks at the clock after it has found nothing to do: that is where the posts come.
  thread.loop().Post([&] {
    thread.loop().AddTimer(timer, clock.Now() + hours(1));
    clock.armed = true;
  });
  clock.all.Wait();
  thread.loop().Post([&] { thread.loop().RemoveTimer(timer); });
}

// Wake lets the loop go on by another event first, and reports only when the loop has come as far as it can.
class SlowWakePoller final : public Poller {
 public:
  Result Poll(base::Duration timeout) override {
    base::MutexLock lock(mutex_);
    if (timeout == kForever) {
      ++waits_;
      changed_.NotifyAll();
      while (!event_ && !woken_ && !shut_down_) changed_.Wait(mutex_);
    }
    if (std::exchange(event_, false)) return Result::kEvent;
    if (std::exchange(woken_, false)) return Result::kWoken;
    return shut_down_ ? Result::kShutdown : Result::kNothing;
  }
  void Wake() override {
    base::MutexLock lock(mutex_);
    const int waits_before = waits_;
    event_ = true;
    changed_.NotifyAll();
    while (waits_ == waits_before && !shut_down_) changed_.Wait(mutex_);
    EXPECT_FALSE(shut_down_) << "the poller was shut down under a Wake";
    woken_ = true;
    changed_.NotifyAll();
  }
  void Shutdown() override {
    base::MutexLock lock(mutex_);
    shut_down_ = true;
    changed_.NotifyAll();
  }
  void WaitUntilPolled() {
    base::MutexLock lock(mutex_);
    while (waits_ == 0) changed_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int waits_ MUSTER_GUARDED_BY(mutex_) = 0;
  bool event_ MUSTER_GUARDED_BY(mutex_) = false;
  bool woken_ MUSTER_GUARDED_BY(mutex_) = false;
  bool shut_down_ MUSTER_GUARDED_BY(mutex_) = false;
};

TEST(LoopTest, ShutsThePollerDownOnlyAfterTheLastWakeWasReported) {
  auto poller = std::make_unique<SlowWakePoller>();
  SlowWakePoller* slow = poller.get();
  Loop::Options options;
  options.spin = base::Duration::zero();
  LoopThread thread(std::move(options), std::move(poller));
  slow->WaitUntilPolled();
  thread.StopAndJoin();
}

TEST(LoopWatchdogTest, NoticesABlockedLoopWhileItIsBlockedAndOnlyOnce) {
  LoopThread first(Loop::Options{.name = "first"});
  LoopThread second(Loop::Options{.name = "second"});
  Gate first_noticed, second_noticed;
  std::atomic<int> reports{0};
  LoopWatchdog watchdog(LoopWatchdog::Options{.threshold = milliseconds(20),
                                              .report = [&](const std::string& name, base::Duration so_far) {
                                                EXPECT_GE(so_far, milliseconds(20));
                                                ++reports;
                                                (name == "first" ? first_noticed : second_noticed).Open();
                                              }});
  watchdog.Watch(first.loop());
  watchdog.Watch(second.loop());
  first.loop().Post([&] { second_noticed.Wait(); });  // what no code on a loop may do
  first_noticed.Wait();
  // The first loop stays blocked while the watchdog looks a few times more.
  second.loop().Post([&] { second_noticed.Wait(); });
  second_noticed.Wait();
  watchdog.Unwatch(first.loop());
  watchdog.Unwatch(second.loop());
  first.StopAndJoin();
  EXPECT_EQ(reports, 2);
  EXPECT_EQ(first.loop().stats().blocked_turns, 1u);
  EXPECT_GE(first.loop().TakeLagMax(), milliseconds(20));
  EXPECT_EQ(first.loop().TakeLagMax(), base::Duration::zero());
}

Task<void> SleepAndLog(base::Duration duration, std::vector<base::Duration>* log, base::Instant start) {
  CancelToken token;
  const absl::Status status = co_await coro::Sleep(token, duration);
  CO_ASSERT_OK(status);
  log->push_back(coro::Executor::Current()->Now() - start);
  const absl::Status again = co_await coro::Sleep(token, duration);
  CO_ASSERT_OK(again);
  log->push_back(coro::Executor::Current()->Now() - start);
}

TEST(ManualTimeTest, FiresOneTimerRunsUntilQuietAndRepeats) {
  base::ManualClock clock;
  Loop::Options options;
  options.clock = &clock;
  options.manual_clock = true;
  LoopThread thread(std::move(options));
  ManualTime time(clock, {&thread.loop()}, {});
  const base::Instant start = clock.Now();
  std::vector<base::Duration> log;
  std::optional<coro::Scope> scope;
  thread.loop().Post([&] {
    scope.emplace();
    scope->Spawn(SleepAndLog(hours(2), &log, start));
    scope->Spawn(SleepAndLog(hours(3), &log, start));
  });
  ASSERT_TRUE(time.AdvanceBlocking(hours(5), seconds(30)));
  EXPECT_EQ(log, (std::vector<base::Duration>{hours(2), hours(3), hours(4)}));
  EXPECT_EQ(clock.Now(), start + hours(5));
  ASSERT_TRUE(time.AdvanceBlocking(hours(1), seconds(30)));
  EXPECT_EQ(log.size(), 4u);
  EXPECT_EQ(log.back(), hours(6));
  thread.StopAndJoin();
  EXPECT_EQ(scope->live(), 0u);
}

Task<void> SleepThenYields(std::vector<int>* log, int number) {
  CancelToken token;
  absl::Status status = co_await coro::Sleep(token, hours(1));
  CO_ASSERT_OK(status);
  for (int i = 0; i < 3; ++i) {
    log->push_back(number);
    status = co_await coro::Yield(token);
    CO_ASSERT_OK(status);
  }
}

TEST(ManualTimeTest, OfTwoEqualDeadlinesTheFirstIsWorkedOffBeforeTheSecondFires) {
  base::ManualClock clock;
  Loop::Options options;
  options.clock = &clock;
  options.manual_clock = true;
  LoopThread thread(std::move(options));
  ManualTime time(clock, {&thread.loop()}, {});
  std::vector<int> log;
  std::optional<coro::Scope> scope;
  thread.loop().Post([&] {
    scope.emplace();
    scope->Spawn(SleepThenYields(&log, 1));
    scope->Spawn(SleepThenYields(&log, 2));
  });
  ASSERT_TRUE(time.AdvanceBlocking(hours(1), seconds(30)));
  EXPECT_EQ(log, (std::vector<int>{1, 1, 1, 2, 2, 2}));
  thread.StopAndJoin();
}

}  // namespace
}  // namespace muster::executor
