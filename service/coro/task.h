// Task<T>: a coroutine that starts when it is awaited, and gives a T.
//
// Lazy, move-only, awaited once: `T value = co_await std::move(task)` or `co_await Function(...)`. A task that nobody
// awaits never runs. A task that has started must end before its Task dies: cancel it and wait for it, don't drop it
// (a CHECK says so). Exceptions pass through to whoever awaits, so that they can be caught at the edge to code that
// throws; our own code returns absl::Status.
//
// A million awaits that complete at once need no stack in any build: the awaiter resumes the child and asks afterwards
// whether it has ended (docs/adr/0003-coroutine-hand-off-and-cancel-token.md). The depth of the stack is the depth of
// nesting.
//
// Threading: a task runs on the executor it was started on, from first line to last.
// Lifetime: parameters by value, or references to what is documented to outlive the task.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "service/base/block_pool.h"
#include "service/base/check.h"
#include "service/coro/runnable.h"

namespace muster::coro {

template <typename T>
class Task;

namespace detail {

class TaskPromiseBase : public Runnable, public base::Pooled {
 public:
  // Called at the very end of a task started by Launch; may destroy the frame.
  using DoneFunction = void (*)(TaskPromiseBase&, void* owner);

  std::suspend_always initial_suspend() noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) noexcept {
      handle.promise().End();  // nothing of the frame may be touched after this
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }

  bool started() const { return state_ != State::kLazy; }
  bool done() const { return state_ == State::kDone; }

  // Runs the task until it ends or suspends. True when it has ended: `parent` need not suspend. Otherwise the end of
  // the task will resume `parent`, on the same thread.
  bool ResumeFor(std::coroutine_handle<> self, std::coroutine_handle<> parent) {
    MUSTER_CHECK(state_ == State::kLazy) << "a task is awaited once";
    state_ = State::kInsideParent;
    parent_ = parent.address();
    self.resume();
    if (state_ == State::kDone) return true;
    state_ = State::kSuspended;
    return false;
  }

  // Of a task that was launched.
  void* owner() const { return parent_; }
  void PrepareLaunch(DoneFunction done, void* owner) {
    MUSTER_CHECK(state_ == State::kLazy) << "a task is started once";
    state_ = State::kLaunched;
    done_ = done;
    parent_ = owner;
  }

 protected:
  explicit TaskPromiseBase(Runnable::Entry run) : Runnable(run) {}
  ~TaskPromiseBase() = default;

 private:
  enum class State : unsigned char { kLazy, kInsideParent, kSuspended, kLaunched, kDone };

  // Every wake-up comes over the home executor, so the end of a task is on the thread of its beginning, and the
  // hand-off flag needs no atomic.
  void End() noexcept {
    switch (std::exchange(state_, State::kDone)) {
      case State::kInsideParent:  // ResumeFor is on the stack below and will see that it is done
        return;
      case State::kSuspended:
        std::coroutine_handle<>::from_address(parent_).resume();
        return;
      case State::kLaunched:
        done_(*this, parent_);
        return;
      default:
        MUSTER_CHECK(false) << "a task ended that had not begun";
    }
  }

  void* parent_ = nullptr;  // the awaiting coroutine, or the owner when launched
  DoneFunction done_ = nullptr;
  State state_ = State::kLazy;
};

// How the coroutine of a promise is resumed, from the ready list and at first.
template <typename Promise>
class StartablePromise : public TaskPromiseBase {
 public:
  // For those who start tasks: `start` is called in place of the first resume; it calls Begin, or destroys the frame.
  void StartWith(Runnable::Entry start) { SetEntry(start); }
  void Begin() {
    SetEntry(&ResumeSelf);
    ResumeSelf(*this);
  }

 protected:
  StartablePromise() : TaskPromiseBase(&ResumeSelf) {}
  ~StartablePromise() = default;

 private:
  static void ResumeSelf(Runnable& self) {
    std::coroutine_handle<Promise>::from_promise(static_cast<Promise&>(self)).resume();
  }
};

template <typename T>
class TaskPromise final : public StartablePromise<TaskPromise<T>> {
 public:
  TaskPromise() {}  // NOLINT(modernize-use-equals-default): it holds neither
  ~TaskPromise() { Drop(); }
  Task<T> get_return_object() noexcept;

  template <typename U>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) {
    std::construct_at(&value_, std::forward<U>(value));
    holds_ = Holds::kValue;
  }
  // `co_return Aggregate{...}` and `co_return {...}`.
  void return_value(T&& value) {
    std::construct_at(&value_, std::move(value));
    holds_ = Holds::kValue;
  }
  // A destructor on the way out of the body may throw after the value was returned.
  void unhandled_exception() noexcept {
    Drop();
    std::construct_at(&exception_, std::current_exception());
    holds_ = Holds::kException;
  }

  T TakeResult() {
    if (holds_ == Holds::kException) [[unlikely]]
      std::rethrow_exception(std::move(exception_));
    return std::move(value_);
  }

 private:
  // A frame is small, as a million of them may wait: one place for either, and what tells them apart lies in the base's
  // padding.
  enum class Holds : unsigned char { kNothing, kValue, kException };

  void Drop() noexcept {
    if (holds_ == Holds::kValue) {
      std::destroy_at(&value_);
    } else if (holds_ == Holds::kException) {
      std::destroy_at(&exception_);
    }
    holds_ = Holds::kNothing;
  }

  Holds holds_ = Holds::kNothing;
  union {
    T value_;
    std::exception_ptr exception_;
  };
};

template <>
class TaskPromise<void> final : public StartablePromise<TaskPromise<void>> {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }
  void TakeResult() {
    if (exception_) [[unlikely]]
      std::rethrow_exception(std::move(exception_));
  }

 private:
  std::exception_ptr exception_;
};

}  // namespace detail

template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using value_type = T;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      Destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { Destroy(); }

  // False for a task that was moved from or never had a coroutine.
  explicit operator bool() const { return static_cast<bool>(handle_); }

  class Awaiter {
   public:
    explicit Awaiter(Handle handle) : handle_(handle) {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> parent) { return !handle_.promise().ResumeFor(handle_, parent); }
    T await_resume() { return handle_.promise().TakeResult(); }

   private:
    Handle handle_;
  };
  Awaiter operator co_await() && {
    MUSTER_CHECK(handle_) << "an empty task was awaited";
    return Awaiter(handle_);
  }

  // For those who start tasks (Scope and the like): gives up the frame, whose new owner schedules its promise, is told
  // by `done` when it has ended and destroys it then.
  Handle Launch(detail::TaskPromiseBase::DoneFunction done, void* owner) {
    MUSTER_CHECK(handle_) << "an empty task was started";
    handle_.promise().PrepareLaunch(done, owner);
    return std::exchange(handle_, {});
  }

 private:
  friend class detail::TaskPromise<T>;
  explicit Task(Handle handle) : handle_(handle) {}

  void Destroy() {
    if (!handle_) return;
    MUSTER_CHECK(!handle_.promise().started() || handle_.promise().done()) << "a running task was dropped";
    std::exchange(handle_, {}).destroy();
  }

  Handle handle_;
};

template <typename T>
Task<T> detail::TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> detail::TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

}  // namespace muster::coro
