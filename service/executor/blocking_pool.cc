#include "service/executor/blocking_pool.h"

#include <algorithm>

#include "fmt/format.h"

#include "service/base/check.h"

namespace muster::executor {

BlockingPool::BlockingPool(Options options)
    : options_(std::move(options)), clock_(options_.clock != nullptr ? options_.clock : &real_time_) {
  MUSTER_CHECK_GT(options_.threads, 0);
  MUSTER_CHECK_GT(options_.queue_max, 0u);
  stats_.threads = static_cast<std::size_t>(options_.threads);
  stats_.queue_max = options_.queue_max;
  for (int i = 0; i < options_.threads; ++i) {
    threads_.emplace_back(fmt::format("{}-{}", options_.name, i), [this] { ThreadMain(); });
  }
}

BlockingPool::~BlockingPool() {
  Shutdown(base::Duration::zero());
  for (base::Thread& thread : threads_) thread.Join();
}

absl::StatusOr<BlockingPool::ItemPtr> BlockingPool::Submit(base::UniqueFunction<void()> function,
                                                           std::optional<base::Instant> waits_since) {
  auto item = std::make_shared<Item>(std::move(function));
  item->submitted_ = waits_since.has_value() ? *waits_since : clock_->Now();
  {
    base::MutexLock lock(mutex_);
    if (closed_) {
      ++stats_.rejected;
      return absl::UnavailableError(fmt::format("the pool {} is shutting down", options_.name));
    }
    if (stats_.queued >= options_.queue_max) {
      ++stats_.rejected;
      return absl::ResourceExhaustedError(
          fmt::format("the queue of the pool {} is full: {} wait, as many as may", options_.name, stats_.queued));
    }
    ++stats_.submitted;
    ++stats_.queued;
    item->state_ = Item::State::kQueued;
    item->self_ = item;
    queue_.PushBack(*item);
  }
  work_or_close_.NotifyOne();
  return item;
}

bool BlockingPool::Withdraw(const ItemPtr& item) {
  base::UniqueFunction<void()> dropped;  // destroyed without the lock
  ItemPtr self;
  base::MutexLock lock(mutex_);
  if (item->state_ != Item::State::kQueued) return false;
  item->hook_.Unlink();
  item->state_ = Item::State::kOver;
  self = std::move(item->self_);
  dropped = std::move(item->function_);
  --stats_.queued;
  ++stats_.withdrawn;
  if (stats_.queued + stats_.running == 0) all_done_.NotifyAll();
  return true;
}

bool BlockingPool::Abandon(const ItemPtr& item) {
  base::MutexLock lock(mutex_);
  if (item->state_ != Item::State::kRunning) return false;
  item->state_ = Item::State::kAbandoned;
  ++stats_.abandoned;
  ++stats_.abandoned_total;
  return true;
}

void BlockingPool::ThreadMain() {
  for (;;) {
    ItemPtr item;
    base::Duration waited;
    {
      base::MutexLock lock(mutex_);
      while (queue_.empty() && !closed_) work_or_close_.Wait(mutex_);
      if (queue_.empty()) return;
      item = std::move(queue_.PopFront()->self_);
      item->state_ = Item::State::kRunning;
      waited = clock_->Now() - item->submitted_;
      --stats_.queued;
      ++stats_.running;
      stats_.queue_wait_total += waited;
      stats_.queue_wait_max = std::max(stats_.queue_wait_max, waited);
    }
    if (options_.on_start) options_.on_start(waited);
    const base::Instant start = clock_->Now();
    item->function_();
    item->function_ = nullptr;  // what it owns goes before anyone can see that it has ended
    const base::Duration ran = clock_->Now() - start;
    if (options_.on_finish) options_.on_finish(ran);
    base::MutexLock lock(mutex_);
    if (item->state_ == Item::State::kAbandoned) --stats_.abandoned;
    item->state_ = Item::State::kOver;
    --stats_.running;
    ++stats_.finished;
    stats_.run_time_total += ran;
    if (stats_.queued + stats_.running == 0) all_done_.NotifyAll();
  }
}

std::size_t BlockingPool::Shutdown(base::Duration limit) {
  const base::Instant end = base::Later(real_time_.Now(), limit);
  std::vector<ItemPtr> dropped;  // their functions are destroyed without the lock
  std::size_t left = 0;
  {
    base::MutexLock lock(mutex_);
    closed_ = true;
    work_or_close_.NotifyAll();
    for (;;) {
      left = stats_.queued + stats_.running;
      const base::Duration rest = end - real_time_.Now();
      if (left == 0 || rest <= base::Duration::zero()) break;
      all_done_.WaitFor(mutex_, std::min<base::Duration>(rest, std::chrono::hours(1)));
    }
    while (Item* item = queue_.PopFront()) {
      item->state_ = Item::State::kOver;
      --stats_.queued;
      dropped.push_back(std::move(item->self_));
    }
  }
  for (const ItemPtr& item : dropped) item->function_ = nullptr;
  return left;
}

BlockingPoolStats BlockingPool::stats() const {
  base::MutexLock lock(mutex_);
  BlockingPoolStats stats = stats_;
  // A clock that is read before the lock may stand before what was queued since.
  if (!queue_.empty()) stats.queue_age = std::max(clock_->Now() - queue_.Front()->submitted_, base::Duration(0));
  return stats;
}

}  // namespace muster::executor
