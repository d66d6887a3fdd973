#include "service/executor/loop.h"

#include <gtest/gtest.h>

#include "service/coro/sleep.h"
#include "service/executor/blocking_pool.h"
#include "service/executor/manual_time.h"
#include "service/executor/reactor.h"
#include "service/executor/sync_wait.h"
#include "service/executor/watchdog.h"

namespace muster::executor {
namespace {

using coro::CancelToken;
using coro::Task;

Task<int> SleepThenSeven() {
  CancelToken token;
  const absl::Status status = co_await coro::Sleep(token, std::chrono::milliseconds(2));
  co_return status.ok() ? 7 : 0;
}

TEST(LoopTest, RunsATaskOnItsOwnThreadOrOnThisOne) {
  LoopThread thread(Loop::Options{});
  EXPECT_EQ(SyncWait(thread.loop(), SleepThenSeven()), 7);
  EXPECT_EQ(SyncWait(SleepThenSeven()), 7);
}

int Nine(const BlockingCall&) { return 9; }

Task<absl::StatusOr<int>> OnPool(BlockingPool& pool) {
  CancelToken token;
  auto result = co_await pool.Run(token, &Nine);
  co_return result;
}

TEST(BlockingPoolTest, RunGivesTheResult) {
  LoopThread thread(Loop::Options{});
  BlockingPool pool(BlockingPool::Options{});
  EXPECT_EQ(SyncWait(thread.loop(), OnPool(pool)).value(), 9);
}

}  // namespace
}  // namespace muster::executor
