// One operation of a front's transport that a verb awaits: a message that is being written.
//
// It cannot be cancelled, but it ends when the client goes away.
#pragma once

#include <coroutine>

#include "service/coro/executor.h"
#include "service/coro/runnable.h"

namespace muster::verbs {

// Whom the transport tells that an operation is over.
//
// Threading: Complete is called on the loop that the operation was begun on, between coroutines. It must not resume a
// coroutine itself: it schedules. Lifetime: from the begin of the operation until Complete has been called, exactly
// once.
class OperationEnd {
 public:
  OperationEnd() = default;
  OperationEnd(const OperationEnd&) = delete;
  OperationEnd& operator=(const OperationEnd&) = delete;
  virtual void Complete(bool ok) = 0;

 protected:
  ~OperationEnd() = default;
};

// What is awaited; its type says how it is begun.
class OperationBase : private OperationEnd, private coro::Runnable {
 public:
  bool await_ready() const { return false; }
  bool await_resume() const { return ok_; }

 protected:
  OperationBase() : Runnable(&Resume) {}
  ~OperationBase() = default;
  OperationEnd* Prepare(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    executor_ = coro::Executor::Current();
    return this;
  }

 private:
  void Complete(bool ok) override {
    ok_ = ok;
    executor_->Schedule(*this);
  }
  static void Resume(coro::Runnable& self) { static_cast<OperationBase&>(self).waiter_.resume(); }

  std::coroutine_handle<> waiter_;
  coro::Executor* executor_ = nullptr;
  bool ok_ = false;
};

}  // namespace muster::verbs
