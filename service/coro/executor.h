// What a coroutine needs of the thread it runs on: a ready list, timers, the time.
//
// executor::Loop implements it for the service and ManualExecutor (tests/support) for tests. Every coroutine has a
// home: the executor it was started on. Whatever wakes it puts it on that executor's ready list; nothing resumes a
// waiter inline, so no caller of Set, Release or Cancel ever runs somebody else's code.
//
// Threading: one thread owns an executor. Only Post may be called from other threads.
// Lifetime: an executor outlives every coroutine started on it and everything posted to it.
#pragma once

#include "service/base/clock.h"
#include "service/base/function.h"
#include "service/base/timer_queue.h"
#include "service/coro/runnable.h"

namespace muster::coro {

// A timer that calls `fire` on the executor's thread, between coroutines. `fire` may arm it again and may destroy it.
class Timer : public base::Timer {
 public:
  using Entry = void (*)(Timer&);
  explicit Timer(Entry fire) : fire_(fire) {}
  void Fire() { fire_(*this); }

 private:
  Entry fire_;
};

class Executor {
 public:
  Executor() = default;
  virtual ~Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // The executor that runs on this thread right now; null on a thread that runs none.
  static Executor* Current();

  virtual base::Instant Now() const = 0;

  // Runs `runnable` soon: in this turn if its budget allows. In order of the calls.
  void Schedule(Runnable& runnable) { ready_.PushBack(runnable); }
  // Runs `runnable` in the next turn, after everything else has had its chance: for yields.
  void ScheduleNextTurn(Runnable& runnable) { next_turn_.PushBack(runnable); }

  // Fires once at `deadline` or soon after, never inside this call. `timer` must not be armed.
  void AddTimer(Timer& timer, base::Instant deadline) { timers_.Add(timer, deadline); }
  // False when it was not armed: it has fired.
  bool RemoveTimer(Timer& timer) { return timers_.Remove(timer); }

  // From any thread: puts the whole list on the ready list, in order, and wakes the executor if it sleeps.
  virtual void Post(RunnableList list) = 0;
  void Post(Runnable& runnable) {
    RunnableList list;
    list.PushBack(runnable);
    Post(std::move(list));
  }
  // From any thread: calls `function` on the executor's thread. One allocation.
  void Post(base::UniqueFunction<void()> function);

 protected:
  // Makes `executor` this thread's current one for a while.
  class CurrentScope {
   public:
    explicit CurrentScope(Executor& executor);
    ~CurrentScope();
    CurrentScope(const CurrentScope&) = delete;
    CurrentScope& operator=(const CurrentScope&) = delete;

   private:
    Executor* previous_;
  };

  RunnableList ready_;
  RunnableList next_turn_;
  base::TimerQueue timers_;  // holds coro::Timer objects only
};

}  // namespace muster::coro
