#include "service/executor/loop.h"

#include <utility>

#include "service/base/check.h"
#include "service/executor/condvar_poller.h"

namespace muster::executor {
namespace {

thread_local Loop* current_loop = nullptr;

// For counters that one thread writes: no locked instruction.
template <typename T, typename N>
void Add(std::atomic<T>& counter, N n) {
  counter.store(counter.load(std::memory_order_relaxed) + static_cast<T>(n), std::memory_order_relaxed);
}

void RaiseTo(std::atomic<std::int64_t>& maximum, base::Duration value) {
  if (value.count() > maximum.load(std::memory_order_relaxed)) {
    maximum.store(value.count(), std::memory_order_relaxed);
  }
}

inline void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

Loop::Options Checked(Loop::Options options) {
  MUSTER_CHECK_GT(options.turn_resumes_max, 0);
  MUSTER_CHECK(!options.manual_clock || options.clock != nullptr) << "a manual clock must be given";
  if (base::UsableCpuCount() < 2) options.spin = base::Duration::zero();
  return options;
}

const base::SystemClock& SystemClockOr(const base::Clock* given, const base::SystemClock& own) {
  const auto* system = dynamic_cast<const base::SystemClock*>(given);
  return system != nullptr ? *system : own;
}

}  // namespace

Loop::Loop(Options options, std::unique_ptr<Poller> poller)
    : options_(Checked(std::move(options))),
      poller_(std::move(poller)),
      real_time_(SystemClockOr(options_.clock, own_time_)),
      clock_(options_.clock != nullptr ? options_.clock : &real_time_) {
  MUSTER_CHECK(poller_ != nullptr);
}

Loop::~Loop() {
  MUSTER_CHECK(!HasWork() && inbox_.empty()) << "loop " << options_.name << " dies with work that is ready to run";
}

Loop* Loop::Current() { return current_loop; }

void Loop::Run() {
  MUSTER_CHECK(current_loop == nullptr) << "one loop a thread";
  const CurrentScope current(*this);
  current_loop = this;
  while (!stop_.load(std::memory_order_seq_cst) || HasWork() || !inbox_.empty()) {
    RunTurn();
    PollOnce();
  }
  // Takes the right to Wake away from everybody, since a Wake after Shutdown is an error. Whoever holds it has called
  // Wake or is about to, so its report will come.
  while (wake_pending_.exchange(true, std::memory_order_acq_rel)) Handle(poller_->Poll(Poller::kForever));
  poller_->Shutdown();
  for (;;) {
    RunTurn();
    const bool has_work = HasWork() || !inbox_.empty();
    const Poller::Result result = poller_->Poll(has_work ? Poller::kDontWait : Poller::kForever);
    if (result == Poller::Result::kShutdown && !has_work) break;
    if (result == Poller::Result::kEvent) Add(events_, 1);
  }
  current_loop = nullptr;
}

void Loop::TurnOnce() {
  MUSTER_CHECK(current_loop == nullptr) << "one loop a thread";
  const CurrentScope current(*this);
  current_loop = this;
  RunTurn();
  current_loop = nullptr;
}

void Loop::Stop() {
  stop_.store(true, std::memory_order_seq_cst);
  WakeIfAsleep();
}

void Loop::Poke() {
  poked_.store(true, std::memory_order_seq_cst);
  WakeIfAsleep();
}

void Loop::Post(coro::RunnableList list) {
  if (inbox_.Push(std::move(list))) WakeIfAsleep();
}

void Loop::WakeIfAsleep() {
  if (asleep_.load(std::memory_order_seq_cst) && !wake_pending_.exchange(true, std::memory_order_acq_rel)) {
    poller_->Wake();
  }
}

void Loop::RunTurn() {
  const base::Instant start = std::exchange(latest_fits_, false) ? latest_ : real_time_.Now();
  latest_ = start;
  turn_time_ = ClockTime(start);
  waiting_ = false;
  turn_started_us_.store(start.time_since_epoch().count(), std::memory_order_release);
  turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
  poked_.store(false, std::memory_order_seq_cst);
  ready_.Append(std::move(next_turn_));
  ready_.Append(inbox_.Take());
  const int fired = FireTimers(turn_time_);
  const int resumed = RunReady(start);
  if (fired + resumed > 0) {
    for (auto& hook : turn_hooks_) hook();
    Add(timers_fired_, fired);
    Add(resumes_, resumed);
    latest_ = last_active_ = real_time_.Now();
    const base::Duration lasted = last_active_ - start;
    Add(busy_us_, lasted.count());
    RaiseTo(longest_turn_us_, lasted);
    RaiseTo(lag_max_, lasted);
  }
  turn_started_us_.store(0, std::memory_order_release);
}

int Loop::FireTimers(base::Instant now) {
  int fired = 0;
  // Under a manual clock what one timer made ready runs before the next one fires.
  while (base::Timer* timer = (options_.manual_clock && HasWork()) ? nullptr : timers_.PopDue(now)) {
    if (!options_.manual_clock) {
      const base::Duration late = now - timer->deadline();
      RaiseTo(latest_timer_us_, late);
      RaiseTo(lag_max_, late);
    }
    static_cast<coro::Timer*>(timer)->Fire();
    ++fired;
    if (fired >= options_.turn_resumes_max) break;
  }
  return fired;
}

int Loop::RunReady(base::Instant start) {
  int resumed = 0;
  while (coro::Runnable* runnable = ready_.PopFront()) {
    runnable->Run();
    if (++resumed >= options_.turn_resumes_max) break;
    if ((resumed & 7) == 0 && real_time_.Now() - start > options_.turn_time_max) break;
  }
  return resumed;
}

void Loop::PollOnce() {
  if (HasWork() || !inbox_.empty() || TimerDue(latest_) || stop_.load(std::memory_order_relaxed)) {
    const Poller::Result result = poller_->Poll(Poller::kDontWait);
    Handle(result);
    latest_fits_ = result == Poller::Result::kEvent;
  } else if (!SpinUntilEvent()) {
    Sleep();
  }
}

bool Loop::SpinUntilEvent() {
  if (options_.spin <= base::Duration::zero()) return false;
  for (bool first = true; latest_ - last_active_ < options_.spin; first = false) {
    const Poller::Result result = poller_->Poll(Poller::kDontWait);
    Handle(result);
    if (result == Poller::Result::kEvent || result == Poller::Result::kWoken) {
      latest_fits_ = first;
      return true;
    }
    if (!inbox_.empty() || stop_.load(std::memory_order_relaxed) || poked_.load(std::memory_order_relaxed)) return true;
    latest_ = real_time_.Now();
    turn_time_ = ClockTime(latest_);
    if (TimerDue(latest_)) return true;
    CpuRelax();
  }
  return false;
}

void Loop::Sleep() {
  const base::Instant deadline = timers_.NextDeadline();
  const bool forever = options_.manual_clock || deadline == base::kNever;
  const base::Duration timeout = forever ? Poller::kForever : deadline - clock_->Now();
  next_deadline_.store(deadline.time_since_epoch().count(), std::memory_order_relaxed);
  asleep_.store(true, std::memory_order_seq_cst);
  // Whoever pushed before that store did not see it: look again (see RemoteInbox::Push).
  if (inbox_.empty() && !stop_.load(std::memory_order_seq_cst) && !poked_.load(std::memory_order_seq_cst) &&
      (forever || timeout > base::Duration::zero())) {
    Add(sleeps_, 1);
    waiting_ = true;
    const Poller::Result result = poller_->Poll(timeout);
    asleep_.store(false, std::memory_order_seq_cst);
    Handle(result);
    return;
  }
  asleep_.store(false, std::memory_order_seq_cst);
}

void Loop::Handle(Poller::Result result) {
  if (result == Poller::Result::kEvent) {
    Add(events_, 1);
  } else if (result == Poller::Result::kWoken) {
    Add(wakes_, 1);
    wake_pending_.store(false, std::memory_order_release);
  }
}

LoopStats Loop::stats() const {
  LoopStats stats;
  stats.turns = turns_.load(std::memory_order_relaxed);
  stats.resumes = resumes_.load(std::memory_order_relaxed);
  stats.events = events_.load(std::memory_order_relaxed);
  stats.timers = timers_fired_.load(std::memory_order_relaxed);
  stats.sleeps = sleeps_.load(std::memory_order_relaxed);
  stats.wakes = wakes_.load(std::memory_order_relaxed);
  stats.blocked_turns = blocked_turns_.load(std::memory_order_relaxed);
  stats.busy = base::Duration(busy_us_.load(std::memory_order_relaxed));
  stats.longest_turn = base::Duration(longest_turn_us_.load(std::memory_order_relaxed));
  stats.latest_timer = base::Duration(latest_timer_us_.load(std::memory_order_relaxed));
  return stats;
}

std::optional<Loop::RunningTurn> Loop::running_turn() const {
  const std::int64_t started = turn_started_us_.load(std::memory_order_acquire);
  if (started == 0) return std::nullopt;
  RunningTurn turn;
  turn.number = turns_.load(std::memory_order_relaxed);
  turn.age = real_time_.Now() - base::Instant(base::Duration(started));
  return turn;
}

LoopThread::LoopThread(Loop::Options options, std::unique_ptr<Poller> poller)
    : loop_(std::move(options), poller != nullptr ? std::move(poller) : std::make_unique<CondVarPoller>()),
      thread_(loop_.name(), [this] { loop_.Run(); }) {}

LoopThread::~LoopThread() { StopAndJoin(); }

void LoopThread::StopAndJoin() {
  if (!thread_.joinable()) return;
  loop_.Stop();
  thread_.Join();
}

}  // namespace muster::executor
