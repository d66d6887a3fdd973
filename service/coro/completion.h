// Completion: one operation that cannot be cancelled and completes exactly once, such as a write that is under way.
//
// What can be waited for with a CancelToken should be (cancel.h); this is for the operations whose memory somebody else
// still uses, so that whoever waits must not leave.
//
//   coro::Completion written;
//   StartWrite([&] { written.Complete(); });     // called on this executor, before or after the await
//   co_await written;
//
// Threading: one executor. Lifetime: until Complete was called and its waiter, if any, has resumed.
#pragma once

#include <coroutine>

#include "service/base/check.h"
#include "service/coro/executor.h"
#include "service/coro/runnable.h"

namespace muster::coro {

class Completion final : private Runnable {
 public:
  Completion() : Runnable(&ResumeWaiter) {}

  // Never resumes the waiter inline.
  void Complete() {
    MUSTER_CHECK(!done_) << "completed twice";
    done_ = true;
    if (waiter_) executor_->Schedule(*this);
  }
  bool done() const { return done_; }
  // Makes it usable for the next operation. Only when it is done and nobody waits.
  void Reset() {
    MUSTER_CHECK(done_ && !waiter_) << "reset while in use";
    done_ = false;
  }

  bool await_ready() const { return done_; }
  void await_suspend(std::coroutine_handle<> waiter) {
    MUSTER_CHECK(!waiter_) << "one waiter at a time";
    executor_ = Executor::Current();
    MUSTER_CHECK(executor_ != nullptr) << "a coroutine suspended on a thread that runs no executor";
    waiter_ = waiter;
  }
  void await_resume() const {}

 private:
  static void ResumeWaiter(Runnable& self) { std::exchange(static_cast<Completion&>(self).waiter_, nullptr).resume(); }

  std::coroutine_handle<> waiter_;
  Executor* executor_ = nullptr;
  bool done_ = false;
};

}  // namespace muster::coro
