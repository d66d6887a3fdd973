// What an awaitable is given of the coroutine that waits for it. A coroutine waits for one thing at a time, so its own
// promise serves as the entry of the ready list, and the operation needs none.
//
// Threading and lifetime: those of the coroutine.
#pragma once

#include <concepts>
#include <coroutine>

#include "service/coro/runnable.h"

namespace muster::coro {

class Continuation {
 public:
  Continuation() = default;
  // Of a coroutine whose promise is a Runnable that resumes it: a Task.
  template <std::derived_from<Runnable> Promise>
  // NOLINTNEXTLINE(google-explicit-constructor): the compiler passes a handle
  Continuation(std::coroutine_handle<Promise> waiter) : runnable_(&waiter.promise()) {}

  explicit operator bool() const { return runnable_ != nullptr; }
  // Scheduling it resumes the coroutine.
  Runnable& runnable() const { return *runnable_; }

 private:
  Runnable* runnable_ = nullptr;
};

}  // namespace muster::coro
