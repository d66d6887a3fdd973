// Event: asyncio.Event. A flag that coroutines of one executor wait for.
//
// Set wakes everyone who waits at that moment, even if Clear follows at once (semantics 75). Waiters run from the ready
// list, never inside Set. What it is not: a counter; two Sets are as good as one.
//
//   coro::Event ready;
//   absl::Status status = co_await ready.Wait(token);   // OK, or CancelledError
//
// Threading: one executor. Lifetime: outlives its waiters.
#pragma once

#include "absl/status/status.h"

#include "service/base/intrusive_list.h"
#include "service/coro/cancel.h"

namespace muster::coro {

class Event {
 public:
  class [[nodiscard]] Waiter final : public Suspension {
   public:
    Waiter(Event& event, CancelToken& token) : Suspension(token), event_(event) {}
    bool await_ready() const { return event_.is_set_; }
    bool await_suspend(Continuation waiter) {
      event_.waiters_.PushBack(*this);
      return Suspend(waiter);
    }
    absl::Status await_resume() { return Resume(); }

   private:
    friend class Event;
    CancelReply OnCancel() override {
      hook_.Unlink();
      return CancelReply::kWake;
    }

    Event& event_;
    base::ListHook hook_;
  };

  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { MUSTER_CHECK(waiters_.empty()) << "an Event died under its waiters"; }

  bool is_set() const { return is_set_; }
  void Set() {
    is_set_ = true;
    Pulse();
  }
  void Clear() { is_set_ = false; }
  // Wakes everyone who waits now and leaves the flag as it is.
  void Pulse() {
    while (Waiter* waiter = waiters_.PopFront()) waiter->Wake();
  }

  Waiter Wait(CancelToken& token) { return Waiter(*this, token); }

 private:
  base::IntrusiveList<Waiter, &Waiter::hook_> waiters_;
  bool is_set_ = false;
};

}  // namespace muster::coro
