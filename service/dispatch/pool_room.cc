#include "service/dispatch/pool_room.h"

namespace muster::dispatch {

PoolRoom::PoolRoom(executor::BlockingPool& pool) : pool_(pool), free_(2 * pool.stats().threads) {}

bool PoolRoom::Take(Waiter& waiter) {
  base::MutexLock lock(mutex_);
  if (waiter.granted_) {
    waiter.granted_ = false;
    return true;
  }
  if (waiter.hook_.linked()) return false;
  if (free_ == 0) {
    line_.PushBack(waiter);
    return false;
  }
  --free_;
  return true;
}

void PoolRoom::Give() {
  base::MutexLock lock(mutex_);
  GiveLocked();
}

void PoolRoom::GiveLocked() {
  Waiter* next = line_.PopFront();
  if (next == nullptr) {
    ++free_;
    return;
  }
  next->granted_ = true;
  next->OnRoom();
}

void PoolRoom::Leave(Waiter& waiter) {
  base::MutexLock lock(mutex_);
  waiter.hook_.Unlink();
  if (!waiter.granted_) return;
  waiter.granted_ = false;
  GiveLocked();
}

}  // namespace muster::dispatch
