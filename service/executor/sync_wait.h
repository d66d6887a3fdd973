// SyncWait: a thread that may block waits for a coroutine. For tests, tools and the blocking face of the C++ client.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "service/base/check.h"
#include "service/base/mutex.h"
#include "service/coro/scope.h"
#include "service/coro/task.h"
#include "service/executor/condvar_poller.h"
#include "service/executor/loop.h"

namespace muster::executor {
namespace detail {

template <typename T>
class SyncWaiter {
 public:
  using Value = std::conditional_t<std::is_void_v<T>, bool, T>;

  explicit SyncWaiter(coro::Task<T> task) : task_(std::move(task)) {}

  // On the task's executor.
  void Start() { scope_.Spawn(Run(this)); }
  void WaitBlocking() {
    base::MutexLock lock(mutex_);
    while (!done_) condition_.Wait(mutex_);
  }
  T Take() {
    if (error_) std::rethrow_exception(error_);
    if constexpr (!std::is_void_v<T>) return std::move(*value_);
  }
  // Called on the executor when the task has ended and its frames are gone.
  base::UniqueFunction<void()> on_done;

  void NotifyDone() {
    base::MutexLock lock(mutex_);
    done_ = true;
    condition_.NotifyAll();
  }

 private:
  static coro::Task<void> Run(SyncWaiter* self) {
    try {
      if constexpr (std::is_void_v<T>) {
        co_await std::move(self->task_);
      } else {
        self->value_.emplace(co_await std::move(self->task_));
      }
    } catch (...) {
      self->error_ = std::current_exception();
    }
    // The post runs after this coroutine has ended, so that the waiter may destroy the scope.
    base::UniqueFunction<void()> done = [self] { self->on_done(); };
    coro::Executor::Current()->Post(std::move(done));
  }

  coro::Task<T> task_;
  coro::Scope scope_;
  std::optional<Value> value_;
  std::exception_ptr error_;
  base::Mutex mutex_;
  base::CondVar condition_;
  bool done_ MUSTER_GUARDED_BY(mutex_) = false;
};

}  // namespace detail

// Runs `task` on `loop` and blocks the calling thread, which must not be the loop's, until it has ended.
template <typename T>
T SyncWait(Loop& loop, coro::Task<T> task) {
  MUSTER_CHECK(Loop::Current() == nullptr) << "SyncWait would block a loop";
  detail::SyncWaiter<T> waiter(std::move(task));
  waiter.on_done = [&waiter] { waiter.NotifyDone(); };
  loop.Post([&waiter] { waiter.Start(); });
  waiter.WaitBlocking();
  return waiter.Take();
}

// Runs `task` on a loop of its own, on this thread.
template <typename T>
T SyncWait(coro::Task<T> task, Loop::Options options = {}) {
  Loop loop(std::move(options), std::make_unique<CondVarPoller>());
  detail::SyncWaiter<T> waiter(std::move(task));
  waiter.on_done = [&loop] { loop.Stop(); };
  loop.Post([&waiter] { waiter.Start(); });
  loop.Run();
  return waiter.Take();
}

}  // namespace muster::executor
