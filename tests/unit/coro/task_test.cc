#include "service/coro/task.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/block_pool.h"
#include "service/base/thread.h"
#include "service/coro/event.h"
#include "service/coro/scope.h"
#include "service/coro/sleep.h"
#include "tests/support/manual_executor.h"

namespace muster::coro {
namespace {

using test::ManualExecutor;

Task<int> One() { co_return 1; }

Task<int> Sum(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await One();
  co_return sum;
}

TEST(TaskTest, AMillionAwaitsThatCompleteAtOnceNeedNoStack) {
  ManualExecutor executor;
  EXPECT_EQ(executor.Run(Sum(1'000'000)), 1'000'000);
}

Task<int> YieldThenOne(CancelToken& token, int i) {
  if (i % 3 == 0) {
    const absl::Status status = co_await Yield(token);
    EXPECT_TRUE(status.ok());
  }
  co_return 1;
}

Task<int> SumWithYields(int count) {
  CancelToken token;
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await YieldThenOne(token, i);
  co_return sum;
}

TEST(TaskTest, AwaitsThatSuspendNowAndThenNeedNoStackEither) {
  ManualExecutor executor;
  EXPECT_EQ(executor.Run(SumWithYields(300'000)), 300'000);
}

Task<void> Note(std::vector<int>& log, int number) {
  log.push_back(number);
  co_return;
}

TEST(TaskTest, IsLazy) {
  std::vector<int> log;
  {
    const Task<void> never_awaited = Note(log, 1);
  }
  EXPECT_TRUE(log.empty());
}

Task<std::unique_ptr<int>> MoveOnly() { co_return std::make_unique<int>(5); }

TEST(TaskTest, GivesMoveOnlyValues) {
  ManualExecutor executor;
  EXPECT_EQ(*executor.Run(MoveOnly()), 5);
}

Task<int> Throws() {
  throw std::runtime_error("third party");
  co_return 1;
}

Task<std::string> Catches() {
  try {
    co_await Throws();
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "nothing";
}

TEST(TaskTest, ExceptionsReachTheAwaiter) {
  ManualExecutor executor;
  EXPECT_EQ(executor.Run(Catches()), "third party");
}

Task<void> WaitFor(Event& event, CancelToken& token) {
  const absl::Status status = co_await event.Wait(token);
  EXPECT_TRUE(status.ok());
}

TEST(TaskDeathTest, ARunningTaskMustNotBeDropped) {
  EXPECT_DEATH(
      {
        ManualExecutor executor;
        Event event;
        CancelToken token;
        executor.Spawn(WaitFor(event, token));
        executor.RunUntilIdle();
      },
      "live on|died under");
}

TEST(ManualExecutorDeathTest, IdleWithALiveTaskFailsTheTest) {
  EXPECT_DEATH(
      {
        ManualExecutor executor;
        Event event;
        CancelToken token;
        executor.Run(WaitFor(event, token));
      },
      "MUSTER_TEST_SEED=");
}

TEST(BlockPoolTest, FramesMayBeFreedOnAnotherThread) {
  std::vector<std::unique_ptr<Task<int>>> tasks;
  for (int round = 0; round < 3; ++round) {
    base::Thread("maker", [&] {
      for (int i = 0; i < 1000; ++i) tasks.push_back(std::make_unique<Task<int>>(One()));
    }).Join();
    base::Thread("breaker", [&] { tasks.clear(); }).Join();
  }
}

TEST(BlockPoolTest, SteadyStateTakesNothingFromTheHeap) {
  ManualExecutor executor;
  executor.Run(Sum(10));
  const std::size_t before = base::BlockPool::ThreadMisses();
  executor.Run(Sum(1000));
  const std::size_t misses = base::BlockPool::ThreadMisses() - before;
  if (base::BlockPool::KeepsLists()) {
    EXPECT_EQ(misses, 0u);
  } else {
    EXPECT_GE(misses, 1000u) << "each frame must come from the sanitizer's own heap";
  }
}

}  // namespace
}  // namespace muster::coro
