// One attempt of one job, from StartJob to JobEnded.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "service/base/block_pool.h"
#include "service/base/mutex.h"
#include "service/core/door/effect.h"
#include "service/coro/cancel.h"
#include "service/coro/runnable.h"
#include "service/coro/task.h"
#include "service/executor/blocking_pool.h"
#include "service/jobs/context.h"
#include "service/jobs/registry.h"
#include "service/runtime/host/shard_host.h"

namespace muster::runtime {

// A body that is a coroutine. Deletes itself when it has ended or was withdrawn. Loop's thread only.
class AsyncRun final : public coro::Runnable, public jobs::JobContext, public base::Pooled {
 public:
  AsyncRun(ShardHost& runner, const jobs::Function& function, core::StartJob&& start);
  ~AsyncRun() override;

  const values::FutureId& future_id() const { return start_.id; }
  // It never started and never will (semantics 7); it goes away when the ready list comes to it.
  void Withdraw() { withdrawn_ = true; }
  void DeliverCancel(const core::CancelJob& cancel);
  // True while a cancel that the core has passed on already goes through the token.
  bool forwarding() const { return forwarding_; }

  // jobs::BlockingContext
  std::string id() const override { return start_.id.ToText(); }
  std::string_view name_space() const override { return name_space_; }
  uint32_t attempt() const override { return start_.attempt; }
  uint32_t epoch() const override { return runner_.incarnation(); }
  const jobs::Metadata& metadata() const override;
  base::Instant deadline() const override { return start_.run_deadline; }
  const base::Clock& clock() const override { return runner_.clock(); }
  bool cancelled() const override { return token_.cancelling() > 0; }
  void ReportProgress(double fraction, std::string message) override;

  // jobs::JobContext
  coro::CancelToken& token() override { return token_; }
  coro::Task<absl::Status> Sleep(base::Duration delay) override;
  coro::Task<absl::StatusOr<values::FutureId>> Submit(jobs::ChildCall call) override;
  coro::Task<absl::StatusOr<values::FutureId>> Combine(values::FutureSpec spec) override;
  coro::Task<absl::StatusOr<values::OutcomeRef>> Await(values::FutureId target) override;
  coro::Task<absl::StatusOr<core::CancelEffect>> Cancel(values::FutureId target, std::string message) override;
  int Uncancel() override;

 private:
  static void Begin(coro::Runnable& self);
  void RunBody();
  void OnRecorded();
  static void OnBodyDone(coro::detail::TaskPromiseBase& promise, void* run);
  // Tells the core that the body runs, once; a body that ends at once is told of by its end alone.
  void SayStarted();
  void End(values::OutcomeRef outcome);

  ShardHost& runner_;
  const jobs::Function& function_;
  core::StartJob start_;
  const std::string& name_space_;
  coro::CancelToken token_;
  base::Instant started_{};
  bool withdrawn_ = false;
  bool said_started_ = false;
  bool forwarding_ = false;
  bool* ended_ = nullptr;  // of RunBody, while it is on the stack
  struct Recorded final : DurableWaiter {
    explicit Recorded(AsyncRun& r)
        : DurableWaiter([](coro::Runnable& self) { static_cast<Recorded&>(self).run.OnRecorded(); }), run(r) {}
    AsyncRun& run;
  };
  Recorded recorded_{*this};
};

// A body on the pool. Shared by the loop and the thread that runs it.
class BlockingRun final : public jobs::BlockingContext, public std::enable_shared_from_this<BlockingRun> {
 public:
  BlockingRun(ShardHost& runner, const jobs::Function& function, core::StartJob&& start);

  const values::FutureId& future_id() const { return start_.id; }
  // Loop's thread.
  void Enqueue();
  // True when it will not run.
  bool Withdraw();
  // The body is told to stop; `abandoned` counts its thread until it does.
  void DeliverCancel(bool abandoned);

  // jobs::BlockingContext, pool's thread.
  std::string id() const override { return start_.id.ToText(); }
  std::string_view name_space() const override { return name_space_; }
  uint32_t attempt() const override { return start_.attempt; }
  uint32_t epoch() const override { return runner_.incarnation(); }
  const jobs::Metadata& metadata() const override;
  base::Instant deadline() const override { return start_.run_deadline; }
  const base::Clock& clock() const override { return runner_.clock(); }
  bool cancelled() const override { return cancelled_.load(std::memory_order_acquire); }
  void ReportProgress(double fraction, std::string message) override MUSTER_EXCLUDES(mutex_);

 private:
  void RunBody();                               // pool's thread
  bool WaitUntilRecordedBlocking();             // pool's thread
  void SayStarted();                            // loop's thread
  void PostProgress() MUSTER_EXCLUDES(mutex_);  // loop's thread
  void End(values::OutcomeRef outcome);         // loop's thread

  ShardHost& runner_;
  const jobs::Function& function_;
  core::StartJob start_;
  const std::string& name_space_;
  executor::BlockingPool::ItemPtr item_;
  std::atomic<bool> cancelled_{false};  // release by the loop, acquire by the body
  bool abandoned_ = false;              // loop's thread
  base::Mutex mutex_;
  bool progress_posted_ MUSTER_GUARDED_BY(mutex_) = false;
  double progress_fraction_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::string progress_message_ MUSTER_GUARDED_BY(mutex_);
};

}  // namespace muster::runtime
