// Scope: a nursery. Tasks spawned in it are its children; nobody else's task is an orphan.
//
//   coro::Scope scope;
//   scope.Spawn(Crawl, url);                          // Crawl(CancelToken&, Url) -> Task<absl::Status>
//   scope.Spawn(Copy(from, to));                      // a Task without a cancel of its own
//   absl::Status status = co_await scope.Join(token); // every child has ended
//
// A child first runs from the ready list, never inside Spawn. Join gives the first error that is not a cancellation;
// by default that error cancels the siblings. Cancelling Join cancels the children and still waits for all of them,
// then returns their error or else CancelledError. A child's own CancelledError is swallowed.
// An exception that leaves a child ends the process: catch at the edge to code that throws.
//
// Threading: one executor. Lifetime: destruction CHECKs that every child has ended. One Join at a time; after it the
// scope may be used again.
#pragma once

#include <coroutine>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"

#include "service/base/block_pool.h"
#include "service/base/intrusive_list.h"
#include "service/coro/cancel.h"
#include "service/coro/task.h"

namespace muster::coro {

class Scope {
 public:
  enum class OnError { kCancelSiblings, kKeepGoing };

  explicit Scope(OnError on_error = OnError::kCancelSiblings) : on_error_(on_error) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

  // A child that Cancel does not reach: its task must end by itself.
  template <typename T>
    requires(std::is_void_v<T> || std::is_same_v<T, absl::Status>)
  void Spawn(Task<T> task) {
    ++live_;
    CurrentExecutor().Schedule(task.Launch(&OnTaskDone<T>, this).promise());
  }

  // A child with a CancelToken of its own, which it gets as its first argument: `function(token, arguments...)`, a
  // function that is a coroutine (no lambda with captures) and returns Task<void> or Task<absl::Status>. The arguments
  // are passed as prvalues and must be taken by value. A child that is cancelled before it ran never runs (semantics
  // 7).
  template <typename Function, typename... Arguments>
    requires std::is_invocable_v<Function, CancelToken&, Arguments...>
  void Spawn(Function function, Arguments... arguments) {
    using T = typename std::invoke_result_t<Function, CancelToken&, Arguments...>::value_type;
    auto* child = new Child(*this);
    Task<T> task = function(child->token, std::move(arguments)...);
    detail::TaskPromise<T>& promise = task.Launch(&OnChildDone<T>, child).promise();
    promise.StartWith(&StartChild<T>);
    ++live_;
    children_.PushBack(*child);
    CurrentExecutor().Schedule(promise);
  }

  // Cancels every child that has a token.
  void Cancel(const std::string& message = {});

  class [[nodiscard]] Joiner final : public Suspension {
   public:
    Joiner(Scope& scope, CancelToken& token) : Suspension(token), scope_(scope) {}
    bool await_ready() const { return scope_.live_ == 0; }
    bool await_suspend(Continuation waiter) {
      MUSTER_CHECK(scope_.joiner_ == nullptr) << "one Join at a time";
      scope_.joiner_ = this;
      return Suspend(waiter);
    }
    absl::Status await_resume();

   private:
    friend class Scope;
    CancelReply OnCancel() override;

    Scope& scope_;
    bool cancelled_ = false;
    std::string cancel_message_;
  };
  Joiner Join(CancelToken& token) { return Joiner(*this, token); }

  std::size_t live() const { return live_; }

 private:
  // What the scope keeps of a child with a token, until the child has ended.
  struct Child : base::Pooled {
    explicit Child(Scope& owner) : scope(owner) {}

    Scope& scope;
    CancelToken token;
    base::ListHook hook;
  };

  template <typename T>
  static void StartChild(Runnable& runnable) {
    auto& promise = static_cast<detail::TaskPromise<T>&>(runnable);
    auto* child = static_cast<Child*>(promise.owner());
    absl::Status cancelled = child->token.TakePending();
    if (cancelled.ok()) return promise.Begin();
    std::coroutine_handle<detail::TaskPromise<T>>::from_promise(promise).destroy();
    EndChild(child, std::move(cancelled));
  }
  template <typename T>
  static void OnChildDone(detail::TaskPromiseBase& promise, void* owner) {
    EndChild(static_cast<Child*>(owner), TakeStatus<T>(promise));
  }
  static void EndChild(Child* child, absl::Status status) {
    Scope& scope = child->scope;
    delete child;
    scope.ChildDone(std::move(status));
  }

  // Takes the outcome and destroys the frame.
  template <typename T>
  static absl::Status TakeStatus(detail::TaskPromiseBase& base) {
    auto& promise = static_cast<detail::TaskPromise<T>&>(base);
    absl::Status status;
    if constexpr (std::is_void_v<T>) {
      promise.TakeResult();
    } else {
      status = promise.TakeResult();
    }
    std::coroutine_handle<detail::TaskPromise<T>>::from_promise(promise).destroy();
    return status;
  }
  template <typename T>
  static void OnTaskDone(detail::TaskPromiseBase& promise, void* owner) {
    static_cast<Scope*>(owner)->ChildDone(TakeStatus<T>(promise));
  }

  static Executor& CurrentExecutor();
  void ChildDone(absl::Status status);

  const OnError on_error_;
  std::size_t live_ = 0;
  Joiner* joiner_ = nullptr;
  absl::Status first_error_;
  base::IntrusiveList<Child, &Child::hook> children_;
};

}  // namespace muster::coro
