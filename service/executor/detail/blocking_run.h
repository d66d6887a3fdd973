// BlockingPool::Run: the meeting of a coroutine with a thread of the pool. Included by blocking_pool.h.
#pragma once

#include "service/executor/blocking_pool.h"

namespace muster::executor::detail {

template <typename R>
struct BlockingResult {
  using Type = absl::StatusOr<R>;
};
template <>
struct BlockingResult<void> {
  using Type = absl::Status;
};
template <>
struct BlockingResult<absl::Status> {
  using Type = absl::Status;
};
template <typename T>
struct BlockingResult<absl::StatusOr<T>> {
  using Type = absl::StatusOr<T>;
};

class BlockingWaiter;

// Outlives both sides: the awaiting coroutine may be cancelled and gone while the thread still runs.
class BlockingRunBase : public coro::Runnable, public std::enable_shared_from_this<BlockingRunBase> {
 public:
  explicit BlockingRunBase(coro::Executor& home) : Runnable(&OnHome), home_(home) {}

  // On a thread of the pool, once the result is there; or on any, if the work was dropped.
  void PostHome() {
    self_ = shared_from_this();
    home_.Post(*this);
  }

  std::atomic<bool> cancelled{false};  // stored by the home executor, loaded by the function (BlockingCall)
  BlockingWaiter* waiter = nullptr;    // home executor only; null before it waits and once it was cancelled

 protected:
  ~BlockingRunBase() = default;

 private:
  static void OnHome(coro::Runnable& runnable);

  coro::Executor& home_;
  std::shared_ptr<BlockingRunBase> self_;  // from PostHome to OnHome
};

class BlockingWaiter final : public coro::Suspension {
 public:
  BlockingWaiter(coro::CancelToken& token, BlockingPool& pool, BlockingRunBase& run, BlockingPool::ItemPtr item)
      : Suspension(token), pool_(pool), run_(run), item_(std::move(item)) {}

  bool await_ready() const { return false; }
  bool await_suspend(coro::Continuation waiter) {
    run_.waiter = this;
    return Suspend(waiter);
  }
  absl::Status await_resume() { return Resume(); }

 private:
  friend class BlockingRunBase;

  CancelReply OnCancel() override {
    run_.waiter = nullptr;
    run_.cancelled.store(true, std::memory_order_release);
    if (!pool_.Withdraw(item_)) pool_.Abandon(item_);
    return CancelReply::kWake;
  }

  BlockingPool& pool_;
  BlockingRunBase& run_;
  const BlockingPool::ItemPtr item_;
};

inline void BlockingRunBase::OnHome(coro::Runnable& runnable) {
  const std::shared_ptr<BlockingRunBase> self = std::move(static_cast<BlockingRunBase&>(runnable).self_);
  if (BlockingWaiter* waiter = std::exchange(self->waiter, nullptr)) waiter->Wake();
}

template <typename Function>
class BlockingRun final : public BlockingRunBase {
 public:
  using Returned = std::invoke_result_t<Function&, const BlockingCall&>;
  using Result = typename BlockingResult<Returned>::Type;

  BlockingRun(coro::Executor& home, Function function) : BlockingRunBase(home), function_(std::move(function)) {}

  // On a thread of the pool.
  void Execute() {
    const BlockingCall call(cancelled);
    try {
      if constexpr (std::is_void_v<Returned>) {
        (*function_)(call);
        result_.emplace(absl::OkStatus());
      } else {
        result_.emplace((*function_)(call));
      }
    } catch (const std::exception& error) {
      result_.emplace(absl::InternalError(std::string("the blocking function threw: ") + error.what()));
    } catch (...) {
      result_.emplace(absl::InternalError("the blocking function threw something that is no std::exception"));
    }
    function_.reset();
    PostHome();
  }
  // Instead of Execute, when the pool has let the work go.
  void Drop() {
    if (cancelled.load(std::memory_order_acquire)) return;  // withdrawn by its waiter, which knows
    result_.emplace(absl::UnavailableError("the pool shut down before the work had begun"));
    PostHome();
  }
  // On the home executor, after the wake-up.
  Result TakeResult() { return std::move(*result_); }

 private:
  std::optional<Function> function_;
  std::optional<Result> result_;
};

// What the pool holds: sees to it that exactly one of Execute and Drop is called.
template <typename Function>
class BlockingRunCall {
 public:
  explicit BlockingRunCall(std::shared_ptr<BlockingRun<Function>> run) : run_(std::move(run)) {}
  BlockingRunCall(BlockingRunCall&&) noexcept = default;
  BlockingRunCall& operator=(BlockingRunCall&&) = delete;
  ~BlockingRunCall() {
    if (run_ != nullptr) run_->Drop();
  }
  void operator()() { std::exchange(run_, nullptr)->Execute(); }

 private:
  std::shared_ptr<BlockingRun<Function>> run_;
};

template <typename Function>
coro::Task<typename BlockingRun<Function>::Result> RunBlockingFunction(BlockingPool& pool, coro::CancelToken& token,
                                                                       Function function) {
  if (absl::Status cancelled = token.TakePending(); !cancelled.ok()) co_return cancelled;
  auto run = std::make_shared<BlockingRun<Function>>(*coro::Executor::Current(), std::move(function));
  absl::StatusOr<BlockingPool::ItemPtr> item = pool.Submit(BlockingRunCall<Function>(run));
  if (!item.ok()) co_return item.status();
  const absl::Status waited = co_await BlockingWaiter(token, pool, *run, *std::move(item));
  if (!waited.ok()) co_return waited;
  co_return run->TakeResult();
}

}  // namespace muster::executor::detail

namespace muster::executor {

template <typename Function>
auto BlockingPool::Run(coro::CancelToken& token, Function function) {
  return detail::RunBlockingFunction(*this, token, std::move(function));
}

}  // namespace muster::executor
