// CancelToken: the cancel state of one logical task, exactly as asyncio.Task keeps it; and Suspension, from which every
// operation that may suspend is made.
//
// A token is passed explicitly to each operation that may suspend: `co_await event.Wait(token)`. Cancel() wakes the
// operation that is suspended on it, which then returns absl::CancelledError(message); when nothing is suspended the
// cancel stays pending and the next operation that would suspend returns it. A cancel is delivered once: a body may
// handle it and go on. What completes without suspending does not deliver it (asyncio is the same).
//
// What it refuses: two operations at a time on one token. Concurrent children have a token each (Scope::Spawn).
//
// Threading: the token's executor only, except cancel_requested(). Lifetime: the token outlives every operation and
// observer on it.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"

#include "service/base/intrusive_list.h"
#include "service/coro/continuation.h"
#include "service/coro/executor.h"

namespace muster::coro {

class CancelToken;
class Suspension;

// Is told of each Cancel without being the suspended operation: sets a blocking job's flag, kills a process.
// OnCancel may remove this observer and no other; it must not call Cancel.
class CancelObserver {
 public:
  CancelObserver() = default;
  CancelObserver(const CancelObserver&) = delete;
  CancelObserver& operator=(const CancelObserver&) = delete;
  virtual void OnCancel(CancelToken& token) = 0;

  base::ListHook cancel_observer_hook;  // the token's; unlinks itself at the observer's end

 protected:
  virtual ~CancelObserver() = default;
};

class CancelToken {
 public:
  CancelToken() = default;
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;
  ~CancelToken();

  // Adds one to cancelling() (semantics 9). Never runs the cancelled code: that comes from the ready list.
  void Cancel(std::string message = {});
  // The same, but delivers nothing: what was to see the cancel has seen it, or takes it on another way.
  void CountCancel(std::string message);
  // Takes one away, never below 0, and returns what is left. Reaching 0 withdraws a cancel that is still pending,
  // though not one that has woken its operation (semantics 9, 10).
  int Uncancel();

  int cancelling() const { return cancelling_; }
  // Of the last Cancel.
  const std::string& message() const;
  // A cancel was requested and no operation has returned it yet.
  bool cancel_pending() const { return must_cancel_; }
  // Delivers the pending cancel here, for long stretches of code without a suspension: CancelledError, or OK.
  absl::Status TakePending();

  // cancelling() > 0, readable from any thread (release here, acquire there).
  bool cancel_requested() const { return requested_.load(std::memory_order_acquire); }

  // At a token that is cancelled already nothing is called: look at cancelling() first.
  void AddObserver(CancelObserver& observer) { rare().observers.PushBack(observer); }

 private:
  friend class Suspension;

  enum class Operation : unsigned char { kSuspended, kWoken, kCancelled };

  // A token is small, as there is one in every child of a scope, and few are ever cancelled or observed.
  struct Rare {
    std::string message;
    std::string delivered_message;  // of the cancel that has woken suspended_
    base::IntrusiveList<CancelObserver, &CancelObserver::cancel_observer_hook> observers;
  };
  Rare& rare();

  Suspension* suspended_ = nullptr;  // from Suspend until its coroutine has resumed
  std::unique_ptr<Rare> rare_;       // null: never cancelled, never observed
  int cancelling_ = 0;
  Operation operation_ = Operation::kSuspended;  // how far suspended_ is
  bool must_cancel_ = false;
  std::atomic<bool> requested_{false};
};

// The base of an awaitable that suspends under a token. To write one:
//
//   class Event::Waiter final : public Suspension {
//    public:
//     Waiter(Event& event, CancelToken& token) : Suspension(token), event_(event) {}
//     bool await_ready() const { return event_.is_set_; }               // complete without suspending
//     bool await_suspend(Continuation waiter) {
//       event_.waiters_.PushBack(*this);                                // 1. be found by whoever will Wake
//       return Suspend(waiter);                                         // 2. last, and its answer is the answer
//     }
//     absl::Status await_resume() { return Resume(); }                  // OK or CancelledError
//     base::ListHook hook;
//    private:
//     CancelReply OnCancel() override { hook.Unlink(); return CancelReply::kWake; }
//     void OnLostWakeUp() override {}                                   // give back what the wake-up brought
//   };
//
// Whoever completes the operation calls Wake() once, on the waiter's executor, after unlinking it. Other threads post
// to that executor first, and what they post must not depend on the Suspension being alive still. A result that a
// wake-up carries is kept in the derived class; when Resume() is not OK, it was lost and OnLostWakeUp has been called.
class Suspension {
 public:
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

 protected:
  enum class CancelReply {
    kWake,      // the operation is withdrawn; Resume returns CancelledError
    kForwarded  // the cancel was passed on; the operation will still complete by Wake, with its own result
  };

  explicit Suspension(CancelToken& token) : token_(token) {}
  virtual ~Suspension();

  // Suspends `waiter`, unless a cancel is pending and OnCancel says kWake: then false, and Resume will return it.
  bool Suspend(Continuation waiter);
  // Puts the waiter on its executor's ready list. Only while suspended().
  void Wake();
  // As Wake, for the executor's next turn.
  void WakeNextTurn();
  absl::Status Resume();
  // After Resume: a cancel that was pending when the operation began, and that OnCancel had answered with kForwarded,
  // has gone nowhere after all. It is pending again.
  void GiveBackCancel() { token_.must_cancel_ = token_.cancelling_ > 0; }

  bool suspended() const { return waiter_ && token_.operation_ == CancelToken::Operation::kSuspended; }
  CancelToken& token() { return token_; }
  // The waiter's home; null before Suspend.
  Executor* executor() { return executor_; }

  // A cancel has come while the operation was suspended, or was pending when it began. Take it out of every list.
  virtual CancelReply OnCancel() = 0;
  // Wake was called, then a cancel came before the waiter ran, and it takes the result's place: a permit or an item
  // that came with the wake-up goes to the next one.
  virtual void OnLostWakeUp() {}

 private:
  friend class CancelToken;

  CancelToken& token_;  // whose operation_ tells how far this one is
  Executor* executor_ = nullptr;
  Continuation waiter_;  // from Suspend until it has resumed
};

}  // namespace muster::coro
