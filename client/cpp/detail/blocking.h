// Runs a coroutine of the library to its end on the calling thread: how the blocking face is made of the other one.
//
//   return Block(*core, [&](coro::CancelToken& token) { return WaitTask(core, set, options, token); });
//
// Threading: each Block has an executor of its own, so any number of threads may be in one at a time. Interrupt may be
// called from any thread. A thread that runs an executor (a service's loop) must not call Block: a CHECK says so.
#pragma once

#include <optional>
#include <utility>

#include "client/cpp/detail/core.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/coro/cancel.h"
#include "service/coro/executor.h"
#include "service/coro/task.h"

namespace muster::client::detail {

// Sleeps on a condition variable, runs what is posted, fires its timers.
class BlockingRun final : public coro::Executor {
 public:
  explicit BlockingRun(Core& core);
  ~BlockingRun() override;

  using coro::Executor::Post;
  base::Instant Now() const override;
  void Post(coro::RunnableList list) override;

  // Runs until `task` has ended.
  void Run(coro::Task<void> task);
  coro::CancelToken& token() { return token_; }
  // From any thread, while the run is registered with its core.
  void CancelFromOutside();

 private:
  // Everything that is ready, and the timers that are due.
  void Turn();
  void Sleep();

  Core& core_;
  coro::CancelToken token_;
  bool done_ = false;
  base::Mutex mutex_;
  base::CondVar posted_;
  coro::RunnableList inbox_ MUSTER_GUARDED_BY(mutex_);
};

template <typename T>
coro::Task<void> StoreResult(coro::Task<T> task, std::optional<T>& result) {
  result.emplace(co_await std::move(task));
}

template <typename Make>
auto Block(Core& core, Make make) {
  BlockingRun run(core);
  auto task = make(run.token());
  std::optional<typename decltype(task)::value_type> result;
  run.Run(StoreResult(std::move(task), result));
  return *std::move(result);
}

// Every blocking call on `core`, in progress or begun later, ends with CancelledError.
void Interrupt(Core& core);

}  // namespace muster::client::detail
