// An executor for tests: one thread, a virtual clock, and an order of ready coroutines that a seed shuffles, so that a
// test finds out when it depends on an order that nobody promised.
//
//   test::ManualExecutor executor;
//   executor.Run(Body());           // time jumps to the next timer whenever nothing is ready
//
// The seed is printed when the test failed; MUSTER_TEST_SEED=n takes it up again. An executor that is idle (nothing
// ready, no timer, nothing posted) while a task still lives fails the test: nobody will ever wake that task.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/status.h"
#include "service/coro/executor.h"
#include "service/coro/scope.h"
#include "service/coro/task.h"
#include "tests/support/co_assert.h"

namespace muster::test {

enum class ReadyOrder {
  kShuffled,
  kInOrder,  // for what is promised to be first in, first out
};

class ManualExecutor final : public coro::Executor {
 public:
  explicit ManualExecutor(ReadyOrder order = ReadyOrder::kShuffled);
  ~ManualExecutor() override;

  base::Instant Now() const override { return clock_.Now(); }
  base::ManualClock& clock() { return clock_; }
  using coro::Executor::Post;
  void Post(coro::RunnableList list) override;

  // Starts a task; it runs in the calls below. Not started by Run: for several at once.
  void Spawn(coro::Task<void> task);
  // Runs what is ready and what that makes ready, without moving time.
  void RunUntilIdle();
  // Moves time on by `by`: fires one timer, runs until idle, and so on in order of the deadlines.
  void Advance(base::Duration by);
  // Runs until every spawned task has ended, moving time to the next timer when idle. Fails the test on idle with live
  // tasks.
  void RunUntilDone();

  // Runs one task to its end (and everything it needs), and gives its result.
  template <typename T>
  T Run(coro::Task<T> task) {
    std::optional<T> result;
    Spawn(Store(std::move(task), &result));
    RunUntilDone();
    return std::move(result).value();
  }
  void Run(coro::Task<void> task) {
    Spawn(std::move(task));
    RunUntilDone();
  }

 private:
  template <typename T>
  static coro::Task<void> Store(coro::Task<T> task, std::optional<T>* result) {
    result->emplace(co_await std::move(task));
  }
  void TakeInbox();
  bool FireOne(base::Instant limit);

  const ReadyOrder order_;
  const std::uint64_t seed_;
  std::mt19937_64 random_;
  base::ManualClock clock_;
  std::vector<coro::Runnable*> batch_;
  base::Mutex mutex_;
  coro::RunnableList inbox_ MUSTER_GUARDED_BY(mutex_);
  std::optional<coro::Scope> scope_;
};

}  // namespace muster::test
