// BlockingPool: named threads for code that blocks, behind a bounded queue. asyncio's run_in_executor and to_thread.
//
//   executor::BlockingPool pool({.name = "blocking", .threads = 8, .queue_max = 1000});
//   absl::StatusOr<std::string> text = co_await pool.Run(token, std::move(read));   // read(const BlockingCall&)
//
// Run cancels at once: an item that has not started is withdrawn; one that has started is abandoned: the awaiter goes
// on with CancelledError while the thread finishes in its own time, its result is dropped, and stats().abandoned counts
// it until then (semantics 91, 93). What the work needs of its caller's context travels in the function (94). An
// exception that leaves the function becomes an Internal error.
//
// Threading: Submit, Withdraw, stats and Shutdown from any thread, Run on an executor.
// Lifetime: the pool outlives its Runs; executors outlive the pool. Destruction shuts down and waits for every thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/base/clock.h"
#include "service/base/function.h"
#include "service/base/intrusive_list.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"
#include "service/coro/cancel.h"
#include "service/coro/task.h"

namespace muster::executor {

// What the pool tells the function that it runs.
class BlockingCall {
 public:
  explicit BlockingCall(const std::atomic<bool>& cancelled) : cancelled_(cancelled) {}
  // The awaiter was cancelled: nobody wants the result. Long work looks now and then and returns early.
  bool cancel_requested() const { return cancelled_.load(std::memory_order_acquire); }

 private:
  const std::atomic<bool>& cancelled_;
};

struct BlockingPoolStats {
  std::size_t threads = 0;
  std::size_t queue_max = 0;
  std::size_t queued = 0;     // now
  std::size_t running = 0;    // now, abandoned ones included; saturation is running / threads
  std::size_t abandoned = 0;  // now: running though their awaiter was cancelled
  std::uint64_t abandoned_total = 0;
  std::uint64_t submitted = 0;
  std::uint64_t rejected = 0;  // the queue was full, or the pool shut down
  std::uint64_t withdrawn = 0;
  std::uint64_t finished = 0;
  base::Duration queue_wait_total{};  // of everything that has started
  base::Duration queue_wait_max{};
  base::Duration queue_age{};       // now: how long the oldest in the queue has waited
  base::Duration run_time_total{};  // of everything that has finished
};

class BlockingPool {
 public:
  struct Options {
    std::string name = "blocking";
    int threads = 4;
    std::size_t queue_max = 1000;
    // Null: real time. Otherwise outlives the pool.
    const base::Clock* clock = nullptr;
    // Called on the pool's thread when an item starts, with its time in the queue; and when it has ended, with its run
    // time. For metrics; must be quick, and is called by several threads at once.
    base::UniqueFunction<void(base::Duration)> on_start;
    base::UniqueFunction<void(base::Duration)> on_finish;
  };

  // One piece of work; shared by the pool and whoever may withdraw it.
  class Item {
   public:
    explicit Item(base::UniqueFunction<void()> function) : function_(std::move(function)) {}

   private:
    friend class BlockingPool;
    enum class State { kNew, kQueued, kRunning, kAbandoned, kOver };
    base::UniqueFunction<void()> function_;
    base::ListHook hook_;  // in queue_
    base::Instant submitted_{};
    State state_ = State::kNew;   // under the pool's mutex
    std::shared_ptr<Item> self_;  // while queued
  };
  using ItemPtr = std::shared_ptr<Item>;

  explicit BlockingPool(Options options);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Queues `function`. ResourceExhausted when the queue is full, Unavailable after Shutdown; it is not called then. The
  // time that it waited counts from `waits_since`, for whoever has held it back before; now without one.
  absl::StatusOr<ItemPtr> Submit(base::UniqueFunction<void()> function,
                                 std::optional<base::Instant> waits_since = std::nullopt) MUSTER_EXCLUDES(mutex_);
  // True: the item had not started, and never will. Its place in the queue is free again. The function is destroyed
  // here.
  bool Withdraw(const ItemPtr& item) MUSTER_EXCLUDES(mutex_);
  // True: the item is running, and is counted as abandoned until it ends.
  bool Abandon(const ItemPtr& item) MUSTER_EXCLUDES(mutex_);

  // Runs `function(const BlockingCall&)` on a thread of the pool. Gives what it returns, as Status (for void and
  // Status) or StatusOr; ResourceExhausted and Unavailable as Submit; CancelledError at once when `token` is cancelled.
  template <typename Function>
  auto Run(coro::CancelToken& token, Function function);

  // Takes no more work and waits until all is done or `limit` (real time) has passed. Returns how
  // many items were left then, queued or running; the queued ones are dropped (a Run gets Unavailable).
  std::size_t Shutdown(base::Duration limit) MUSTER_EXCLUDES(mutex_);

  BlockingPoolStats stats() const MUSTER_EXCLUDES(mutex_);

 private:
  void ThreadMain() MUSTER_EXCLUDES(mutex_);

  Options options_;
  const base::SystemClock real_time_;
  const base::Clock* const clock_;
  mutable base::Mutex mutex_;
  base::CondVar work_or_close_;
  base::CondVar all_done_;
  base::IntrusiveList<Item, &Item::hook_> queue_ MUSTER_GUARDED_BY(mutex_);
  bool closed_ MUSTER_GUARDED_BY(mutex_) = false;
  BlockingPoolStats stats_ MUSTER_GUARDED_BY(mutex_);
  std::vector<base::Thread> threads_;
};

}  // namespace muster::executor

#include "service/executor/detail/blocking_run.h"
