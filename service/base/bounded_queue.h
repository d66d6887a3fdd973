// A queue between threads that never holds more than its capacity.
//
// Threading: any number of threads put and take. Lifetime: Close() and let every thread leave before destruction.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "service/base/check.h"
#include "service/base/mutex.h"

namespace muster::base {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) { MUSTER_CHECK_GT(capacity, 0u); }

  enum class PutResult { kOk, kFull, kClosed };

  // Never blocks. `item` is moved from only when the answer is kOk.
  PutResult TryPut(T&& item) MUSTER_EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (closed_) return PutResult::kClosed;
      if (items_.size() >= capacity_) return PutResult::kFull;
      items_.push_back(std::move(item));
    }
    not_empty_.NotifyOne();
    return PutResult::kOk;
  }

  // Blocks while the queue is full. False when it is closed: `item` is left alone then.
  bool PutBlocking(T&& item) MUSTER_EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      while (!closed_ && items_.size() >= capacity_) not_full_.Wait(mutex_);
      if (closed_) return false;
      items_.push_back(std::move(item));
    }
    not_empty_.NotifyOne();
    return true;
  }

  // Blocks while the queue is empty and open. Nothing once it is closed and drained.
  std::optional<T> TakeBlocking() MUSTER_EXCLUDES(mutex_) {
    std::optional<T> item;
    {
      MutexLock lock(mutex_);
      while (!closed_ && items_.empty()) not_empty_.Wait(mutex_);
      if (items_.empty()) return std::nullopt;
      item.emplace(std::move(items_.front()));
      items_.pop_front();
    }
    not_full_.NotifyOne();
    return item;
  }

  std::optional<T> TryTake() MUSTER_EXCLUDES(mutex_) {
    std::optional<T> item;
    {
      MutexLock lock(mutex_);
      if (items_.empty()) return std::nullopt;
      item.emplace(std::move(items_.front()));
      items_.pop_front();
    }
    not_full_.NotifyOne();
    return item;
  }

  // Puts fail from now on; takes go on until nothing is left. May be called again.
  void Close() MUSTER_EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      closed_ = true;
    }
    not_empty_.NotifyAll();
    not_full_.NotifyAll();
  }

  std::size_t size() const MUSTER_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return items_.size();
  }
  std::size_t capacity() const { return capacity_; }

 private:
  const std::size_t capacity_;
  mutable Mutex mutex_;
  CondVar not_empty_;
  CondVar not_full_;
  std::deque<T> items_ MUSTER_GUARDED_BY(mutex_);
  bool closed_ MUSTER_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::base
