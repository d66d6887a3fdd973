// Semaphore: asyncio.Semaphore. Permits for coroutines of one executor, handed out first come, first served.
//
// Release hands the permit to the first waiter at once, so nobody barges in between (semantics 81). A waiter that is
// cancelled after it got its permit passes it on: none is ever lost. 0 permits is legal, a negative number a bug (80).
//
//   coro::Semaphore slots(16);
//   MUSTER_CO_RETURN_IF_ERROR(co_await slots.Acquire(token));
//   ...
//   slots.Release();
//
// Threading: one executor. Lifetime: outlives its waiters.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

#include "service/base/intrusive_list.h"
#include "service/coro/cancel.h"

namespace muster::coro {

class Semaphore {
 public:
  class [[nodiscard]] Waiter final : public Suspension {
   public:
    Waiter(Semaphore& semaphore, CancelToken& token) : Suspension(token), semaphore_(semaphore) {}
    bool await_ready() { return semaphore_.TryAcquire(); }
    bool await_suspend(Continuation waiter) {
      semaphore_.waiters_.PushBack(*this);
      return Suspend(waiter);
    }
    absl::Status await_resume() { return Resume(); }

   private:
    friend class Semaphore;
    CancelReply OnCancel() override {
      hook_.Unlink();
      return CancelReply::kWake;
    }
    void OnLostWakeUp() override { semaphore_.GiveBack(); }

    Semaphore& semaphore_;
    base::ListHook hook_;
  };

  explicit Semaphore(std::int64_t permits) : permits_(permits) {
    MUSTER_CHECK_GE(permits, 0) << "a semaphore's permits are never negative";
  }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  ~Semaphore() { MUSTER_CHECK(waiters_.empty()) << "a Semaphore died under its waiters"; }

  // OK with one permit held, or CancelledError with none.
  Waiter Acquire(CancelToken& token) { return Waiter(*this, token); }
  // Never barges: there are free permits only when nobody waits.
  bool TryAcquire() {
    if (permits_ == 0) return false;
    --permits_;
    return true;
  }
  void Release() { GiveBack(); }

  std::int64_t permits() const { return permits_; }

 private:
  void GiveBack() {
    if (Waiter* waiter = waiters_.PopFront()) {
      waiter->Wake();
    } else {
      ++permits_;
    }
  }

  std::int64_t permits_;
  base::IntrusiveList<Waiter, &Waiter::hook_> waiters_;
};

// Refuses a release too many (semantics 82).
class BoundedSemaphore {
 public:
  explicit BoundedSemaphore(std::int64_t permits) : bound_(permits), semaphore_(permits) {}

  Semaphore::Waiter Acquire(CancelToken& token) { return semaphore_.Acquire(token); }
  bool TryAcquire() { return semaphore_.TryAcquire(); }
  // FailedPrecondition when every permit is there already; nothing changes then.
  absl::Status Release() {
    if (semaphore_.permits() >= bound_) return absl::FailedPreconditionError("the semaphore was released too often");
    semaphore_.Release();
    return absl::OkStatus();
  }

  std::int64_t permits() const { return semaphore_.permits(); }

 private:
  const std::int64_t bound_;
  Semaphore semaphore_;
};

}  // namespace muster::coro
