// Loop: the executor of the service. One thread, a poller, a ready list, timers, an inbox for other threads.
//
// A turn takes the inbox, fires due timers, runs the ready list within a budget, calls the end-of-turn hooks, then
// polls for one event. Yields, and what the budget left over, go to the next turn, so that one stream of work cannot
// starve the rest. Before it sleeps a loop polls on for a moment if there are CPUs to spare.
//
//   executor::LoopThread thread(executor::Loop::Options{.name = "loop-0"});
//   thread.loop().Post([] { ... });                       // from any thread
//   absl::Status status = executor::SyncWait(thread.loop(), Work(...));   // a thread that may block waits for a task
//
// Threading: Post, Stop, Poke, stats and the watchdog's calls from any thread; the rest on the loop's own.
// Lifetime: outlives all coroutines started on it and everyone who posts to it; Run has returned before destruction.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/base/clock.h"
#include "service/base/function.h"
#include "service/base/thread.h"
#include "service/coro/executor.h"
#include "service/coro/remote_inbox.h"
#include "service/executor/poller.h"

namespace muster::executor {

// All counts since the start; durations in real time.
struct LoopStats {
  std::uint64_t turns = 0;
  std::uint64_t resumes = 0;        // runnables run: coroutines resumed, posts called
  std::uint64_t events = 0;         // taken from the poller
  std::uint64_t timers = 0;         // fired
  std::uint64_t sleeps = 0;         // polls that were allowed to block
  std::uint64_t wakes = 0;          // sleeps ended by a post
  std::uint64_t blocked_turns = 0;  // turns the watchdog found over its threshold
  base::Duration busy{};            // spent outside polling
  base::Duration longest_turn{};    // how long something ready may have waited, at worst
  base::Duration latest_timer{};    // the worst delay of a timer behind its deadline
};

class Loop final : public coro::Executor {
 public:
  struct Options {
    std::string name = "loop";
    // Null: the loop has a SystemClock of its own. Otherwise outlives the loop.
    const base::Clock* clock = nullptr;
    // The clock moves only when it is told to (--clock=manual): the loop never sleeps towards a deadline, fires one
    // timer and then runs until nothing is ready before it fires the next. Poke it after moving the clock, or let
    // AdvanceBlocking (manual_time.h) do all that.
    bool manual_clock = false;
    int turn_resumes_max = 256;
    base::Duration turn_time_max = std::chrono::milliseconds(1);
    // How long an idle loop polls on before it sleeps; 0 on a machine with one CPU.
    base::Duration spin = std::chrono::microseconds(50);
  };

  Loop(Options options, std::unique_ptr<Poller> poller);
  ~Loop() override;

  // The loop that runs on this thread; null on others.
  static Loop* Current();

  // Runs turns on the calling thread until Stop, then what is ready, then shuts the poller down and drains it.
  void Run();
  // From any thread, any number of times.
  void Stop();

  // For a simulation that drives several loops on one thread, none of which runs: one turn, without the poller.
  void TurnOnce();
  // And what it goes by: whether a turn would find something to run, and the first timer's deadline.
  bool ready() const { return HasWork() || !inbox_.empty() || timers_.NextDeadline() <= clock_->Now(); }
  base::Instant first_deadline() const { return timers_.NextDeadline(); }

  using coro::Executor::Post;
  void Post(coro::RunnableList list) override;
  // From any thread: makes the loop look at its clock and timers again.
  void Poke();

  base::Instant Now() const override { return clock_->Now(); }
  // Now as of the start of the present turn, or of the poll that has brought an event; for what can do with that.
  // Loop's thread.
  base::Instant turn_time() {
    if (std::exchange(waiting_, false)) turn_time_ = clock_->Now();
    return turn_time_;
  }
  const base::Clock& clock() const { return *clock_; }
  const std::string& name() const { return options_.name; }
  Poller& poller() { return *poller_; }

  // Called at the end of every turn in which something ran, in the order of the calls, until the loop is destroyed. A
  // hook may schedule, arm timers, post; it must not block.
  void AddTurnHook(base::UniqueFunction<void()> hook) { turn_hooks_.push_back(std::move(hook)); }

  LoopStats stats() const;
  // The longest turn or timer delay since the last call: what a metric of loop lag reports at each scrape.
  base::Duration TakeLagMax() { return base::Duration(lag_max_.exchange(0, std::memory_order_relaxed)); }

  // For the watchdog: since when the present turn has been running, nothing while it polls.
  struct RunningTurn {
    std::uint64_t number;
    base::Duration age;
  };
  std::optional<RunningTurn> running_turn() const;
  void CountBlockedTurn() { blocked_turns_.fetch_add(1, std::memory_order_relaxed); }

  // For manual time: nothing is ready, posted or due, and the thread sleeps. True only for the moment of asking; turns
  // tells whether anything has happened in between.
  bool quiet() const {
    return asleep_.load(std::memory_order_seq_cst) && inbox_.empty() && !poked_.load(std::memory_order_seq_cst);
  }
  std::uint64_t turns() const { return turns_.load(std::memory_order_seq_cst); }
  // The first timer's deadline, as of the moment the loop fell asleep.
  base::Instant next_deadline() const { return base::Instant(base::Duration(next_deadline_.load())); }

 private:
  void RunTurn();
  int RunReady(base::Instant start);
  int FireTimers(base::Instant now);
  void PollOnce();
  bool SpinUntilEvent();
  void Sleep();
  void Handle(Poller::Result result);
  bool HasWork() const { return !ready_.empty() || !next_turn_.empty(); }
  // `now` is a time that real_time_ gave.
  bool TimerDue(base::Instant now) const {
    const base::Instant next = timers_.NextDeadline();
    return next != base::kNever && next <= ClockTime(now);
  }
  base::Instant ClockTime(base::Instant now) const { return clock_ == &real_time_ ? now : clock_->Now(); }
  void WakeIfAsleep();

  const Options options_;
  const std::unique_ptr<Poller> poller_;
  const base::SystemClock own_time_;
  const base::SystemClock& real_time_;  // for budgets and statistics, also under a manual clock
  const base::Clock* const clock_;
  std::vector<base::UniqueFunction<void()>> turn_hooks_;
  // Reading the clock costs as much as a short resume, so a reading is used for all that comes close behind it.
  base::Instant latest_{};     // the last of real_time_
  bool latest_fits_ = false;   // it is that of the end of a turn, and a poll that had an event at once has followed
  base::Instant turn_time_{};  // of clock_
  bool waiting_ = false;       // in a poll that may last, and turn_time_ is of before it
  base::Instant last_active_{};

  // Written by other threads. asleep_ and the inbox are a pair: see RemoteInbox::Push.
  alignas(64) coro::RemoteInbox inbox_;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> wake_pending_{false};  // set by whoever calls Poller::Wake, cleared when the poller reports kWoken
  std::atomic<bool> stop_{false};
  std::atomic<bool> poked_{false};

  // Written by the loop's thread alone, read by any (relaxed: they stand for themselves).
  alignas(64) std::atomic<std::uint64_t> turns_{0};
  std::atomic<std::uint64_t> resumes_{0};
  std::atomic<std::uint64_t> events_{0};
  std::atomic<std::uint64_t> timers_fired_{0};
  std::atomic<std::uint64_t> sleeps_{0};
  std::atomic<std::uint64_t> wakes_{0};
  std::atomic<std::uint64_t> blocked_turns_{0};  // the watchdog's
  std::atomic<std::int64_t> busy_us_{0};
  std::atomic<std::int64_t> longest_turn_us_{0};
  std::atomic<std::int64_t> latest_timer_us_{0};
  std::atomic<std::int64_t> lag_max_{0};
  std::atomic<std::int64_t> turn_started_us_{0};  // 0 while polling
  std::atomic<std::int64_t> next_deadline_{0};
};

// A loop with a thread of its own. Destruction stops it and joins.
class LoopThread {
 public:
  // Null poller: a CondVarPoller.
  explicit LoopThread(Loop::Options options, std::unique_ptr<Poller> poller = nullptr);
  ~LoopThread();

  Loop& loop() { return loop_; }
  // Stops the loop and waits for its end.
  void StopAndJoin();

 private:
  Loop loop_;
  base::Thread thread_;
};

}  // namespace muster::executor
