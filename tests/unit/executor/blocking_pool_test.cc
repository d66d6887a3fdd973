#include "service/executor/blocking_pool.h"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <pthread.h>

#include "service/coro/scope.h"
#include "service/coro/sleep.h"
#include "service/executor/sync_wait.h"
#include "tests/support/co_assert.h"
#include "tests/support/gate.h"
#include "tests/support/manual_executor.h"

namespace muster::executor {
namespace {

using coro::CancelToken;
using coro::Task;
using std::chrono::hours;
using std::chrono::seconds;
using test::Gate;

BlockingPool::Options OneThread(std::size_t queue_max = 10) {
  BlockingPool::Options options;
  options.name = "tested";
  options.threads = 1;
  options.queue_max = queue_max;
  return options;
}

std::string ThreadName() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return name;
}

template <typename Function>
Task<typename detail::BlockingRun<Function>::Result> RunOn(BlockingPool& pool, Function function) {
  CancelToken token;
  co_return co_await pool.Run(token, std::move(function));
}

TEST(BlockingPoolTest, GivesWhatTheFunctionReturnsFromANamedThread) {  // semantics 94: the closure is the context
  LoopThread thread(Loop::Options{});
  BlockingPool pool(OneThread());
  const std::string trace_id = "4bf92f35";
  auto text = [trace_id](const BlockingCall&) { return ThreadName() + " " + trace_id; };
  EXPECT_EQ(SyncWait(thread.loop(), RunOn(pool, text)).value(), "tested-0 4bf92f35");
  auto nothing = [](const BlockingCall&) {};
  EXPECT_EQ(SyncWait(thread.loop(), RunOn(pool, nothing)), absl::OkStatus());
  auto status = [](const BlockingCall&) { return absl::NotFoundError("x"); };
  EXPECT_EQ(SyncWait(thread.loop(), RunOn(pool, status)), absl::NotFoundError("x"));
  auto move_only = [owned =
                        std::make_unique<int>(4)](const BlockingCall&) mutable -> absl::StatusOr<std::unique_ptr<int>> {
    return std::move(owned);
  };
  EXPECT_EQ(**SyncWait(thread.loop(), RunOn(pool, std::move(move_only))), 4);
  auto throws = [](const BlockingCall&) -> int { throw std::runtime_error("bang"); };
  EXPECT_EQ(SyncWait(thread.loop(), RunOn(pool, throws)).status(),
            absl::InternalError("the blocking function threw: bang"));
}

TEST(BlockingPoolTest, RefusesWhatDoesNotFitAndCountsIt) {
  BlockingPool pool(OneThread(2));
  Gate started, finish;
  ASSERT_TRUE(pool.Submit([&] {
                    started.Open();
                    finish.Wait();
                  })
                  .ok());
  started.Wait();
  ASSERT_TRUE(pool.Submit([] {}).ok());
  ASSERT_TRUE(pool.Submit([] {}).ok());
  const auto refused = pool.Submit([] { ADD_FAILURE() << "it was refused"; });
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  BlockingPoolStats stats = pool.stats();
  EXPECT_EQ(stats.running, 1u);
  EXPECT_EQ(stats.queued, 2u);
  EXPECT_EQ(stats.rejected, 1u);
  finish.Open();
  EXPECT_EQ(pool.Shutdown(seconds(30)), 0u);
  stats = pool.stats();
  EXPECT_EQ(stats.finished, 3u);
  EXPECT_EQ(stats.running + stats.queued, 0u);
  EXPECT_EQ(pool.Submit([] {}).status().code(), absl::StatusCode::kUnavailable);
}

TEST(BlockingPoolTest, WhatIsQueuedCanBeWithdrawnWhatRunsCannot) {  // semantics 91
  BlockingPool pool(OneThread(1));
  Gate started, finish;
  const BlockingPool::ItemPtr running = *pool.Submit([&] {
    started.Open();
    finish.Wait();
  });
  started.Wait();
  const BlockingPool::ItemPtr queued = *pool.Submit([] { ADD_FAILURE() << "it was withdrawn"; });
  EXPECT_FALSE(pool.Withdraw(running));
  EXPECT_TRUE(pool.Withdraw(queued));
  EXPECT_FALSE(pool.Withdraw(queued));
  EXPECT_TRUE(pool.Submit([] {}).ok()) << "its place in the queue is free again";
  finish.Open();
  EXPECT_EQ(pool.Shutdown(seconds(30)), 0u);
  EXPECT_EQ(pool.stats().withdrawn, 1u);
  EXPECT_EQ(pool.stats().finished, 2u);
}

TEST(BlockingPoolTest, MeasuresQueueWaitAndRunTime) {
  base::ManualClock clock;
  BlockingPool::Options options = OneThread();
  options.clock = &clock;
  base::Duration seen_wait{}, seen_run{};
  options.on_start = [&](base::Duration waited) { seen_wait = std::max(seen_wait, waited); };
  options.on_finish = [&](base::Duration ran) { seen_run = std::max(seen_run, ran); };
  BlockingPool pool(std::move(options));
  Gate started, finish;
  ASSERT_TRUE(pool.Submit([&] {
                    started.Open();
                    finish.Wait();
                  })
                  .ok());
  started.Wait();
  EXPECT_EQ(pool.stats().queue_age, seconds(0));
  ASSERT_TRUE(pool.Submit([] {}).ok());
  clock.Advance(seconds(5));
  EXPECT_EQ(pool.stats().queue_age, seconds(5));
  finish.Open();
  EXPECT_EQ(pool.Shutdown(seconds(30)), 0u);
  EXPECT_EQ(pool.stats().queue_age, seconds(0));
  EXPECT_EQ(pool.stats().queue_wait_max, seconds(5));
  EXPECT_EQ(pool.stats().run_time_total, seconds(5));
  EXPECT_EQ(seen_wait, seconds(5));
  EXPECT_EQ(seen_run, seconds(5));
}

struct Held {
  Gate started;
  Gate finish;
  std::atomic<bool> saw_cancel{false};
};

Task<absl::Status> RunHeld(BlockingPool& pool, CancelToken& token, std::shared_ptr<Held> held) {
  auto function = [held](const BlockingCall& call) {
    held->started.Open();
    held->finish.Wait();
    held->saw_cancel = call.cancel_requested();
  };
  co_return co_await pool.Run(token, std::move(function));
}

Task<void> Keep(Task<absl::Status> task, std::optional<absl::Status>& outcome) { outcome = co_await std::move(task); }

TEST(BlockingPoolTest, ACancelReturnsAtOnceWhileTheThreadGoesOn) {  // semantics 93
  test::ManualExecutor executor;
  auto held = std::make_shared<Held>();
  std::optional<absl::Status> outcome;
  CancelToken token;
  {
    BlockingPool pool(OneThread());
    executor.Spawn(Keep(RunHeld(pool, token, held), outcome));
    executor.RunUntilIdle();
    held->started.Wait();
    token.Cancel("not interested");
    executor.RunUntilDone();
    EXPECT_EQ(outcome, absl::CancelledError("not interested"));
    EXPECT_EQ(pool.stats().abandoned, 1u);
    EXPECT_EQ(pool.stats().running, 1u);
    held->finish.Open();
    EXPECT_EQ(pool.Shutdown(seconds(30)), 0u);
    EXPECT_EQ(pool.stats().abandoned, 0u);
    EXPECT_EQ(pool.stats().abandoned_total, 1u);
    EXPECT_TRUE(held->saw_cancel);
  }
  executor.RunUntilIdle();  // the late result arrives and is dropped
  EXPECT_EQ(held.use_count(), 1);
}

TEST(BlockingPoolTest, ACancelBeforeTheStartWithdrawsTheWork) {  // semantics 91
  test::ManualExecutor executor;
  BlockingPool pool(OneThread());
  auto first = std::make_shared<Held>();
  auto second = std::make_shared<Held>();
  std::optional<absl::Status> first_outcome, second_outcome;
  CancelToken first_token, second_token;
  executor.Spawn(Keep(RunHeld(pool, first_token, first), first_outcome));
  executor.RunUntilIdle();
  first->started.Wait();
  executor.Spawn(Keep(RunHeld(pool, second_token, second), second_outcome));
  executor.RunUntilIdle();
  second_token.Cancel();
  executor.RunUntilIdle();
  EXPECT_TRUE(absl::IsCancelled(*second_outcome));
  EXPECT_EQ(pool.stats().withdrawn, 1u);
  EXPECT_EQ(pool.stats().abandoned_total, 0u);
  EXPECT_EQ(second.use_count(), 1) << "what the work owned is gone with it";
  first->finish.Open();
  EXPECT_EQ(pool.Shutdown(seconds(30)), 0u);
  executor.RunUntilDone();
  EXPECT_EQ(first_outcome, absl::OkStatus());
}

TEST(BlockingPoolTest, ShutdownPastItsLimitTellsThoseWhoWaitInTheQueue) {
  test::ManualExecutor executor;
  auto held = std::make_shared<Held>();
  auto queued = std::make_shared<Held>();
  std::optional<absl::Status> held_outcome, queued_outcome;
  CancelToken held_token, queued_token;
  {
    BlockingPool pool(OneThread());
    executor.Spawn(Keep(RunHeld(pool, held_token, held), held_outcome));
    executor.RunUntilIdle();
    held->started.Wait();
    executor.Spawn(Keep(RunHeld(pool, queued_token, queued), queued_outcome));
    executor.RunUntilIdle();
    EXPECT_EQ(pool.Shutdown(base::Duration::zero()), 2u);
    executor.RunUntilIdle();
    EXPECT_EQ(queued_outcome->code(), absl::StatusCode::kUnavailable);
    held->finish.Open();
  }
  executor.RunUntilDone();
  EXPECT_EQ(held_outcome, absl::OkStatus());
}

}  // namespace
}  // namespace muster::executor
