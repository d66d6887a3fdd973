#include "client/cpp/detail/blocking.h"

#include "client/cpp/detail/connection.h"
#include "service/base/check.h"

namespace muster::client::detail {
namespace {

constexpr char kInterrupted[] = "interrupted";

}  // namespace

BlockingRun::BlockingRun(Core& core) : core_(core) {
  MUSTER_CHECK(coro::Executor::Current() == nullptr)
      << "a blocking call on a thread that runs an executor: use Async()";
  base::MutexLock lock(core_.mutex);
  core_.blocking.insert(this);
  if (core_.interrupted) token_.Cancel(kInterrupted);
}

BlockingRun::~BlockingRun() {
  {
    base::MutexLock lock(core_.mutex);
    core_.blocking.erase(this);
  }
  // A cancel that came last moment is still in the inbox and frees itself by running.
  const CurrentScope scope(*this);
  Turn();
}

base::Instant BlockingRun::Now() const { return ClientClock().Now(); }

void BlockingRun::Post(coro::RunnableList list) {
  base::MutexLock lock(mutex_);
  inbox_.Append(std::move(list));
  posted_.NotifyOne();
}

void BlockingRun::CancelFromOutside() {
  Post([this] { token_.Cancel(kInterrupted); });
}

void BlockingRun::Run(coro::Task<void> task) {
  const CurrentScope scope(*this);
  auto handle = task.Launch(
      [](coro::detail::TaskPromiseBase&, void* owner) { static_cast<BlockingRun*>(owner)->done_ = true; }, this);
  Schedule(handle.promise());
  Turn();
  while (!done_) {
    Sleep();
    Turn();
  }
  handle.promise().TakeResult();
  handle.destroy();
}

void BlockingRun::Turn() {
  {
    base::MutexLock lock(mutex_);
    ready_.Append(std::move(inbox_));
  }
  while (base::Timer* due = timers_.PopDue(Now())) static_cast<coro::Timer*>(due)->Fire();
  while (coro::Runnable* runnable = ready_.PopFront()) runnable->Run();
  ready_.Append(std::move(next_turn_));
}

void BlockingRun::Sleep() {
  if (!ready_.empty()) return;
  const base::Instant next = timers_.NextDeadline();
  base::MutexLock lock(mutex_);
  if (!inbox_.empty()) return;
  if (next == base::kNever) {
    posted_.Wait(mutex_);
  } else if (next > Now()) {
    posted_.WaitFor(mutex_, next - Now());
  }
}

void Interrupt(Core& core) {
  base::MutexLock lock(core.mutex);
  core.interrupted = true;
  for (BlockingRun* run : core.blocking) run->CancelFromOutside();
}

}  // namespace muster::client::detail
