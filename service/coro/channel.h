// Channel<T>: a bounded queue between coroutines of one executor, first in, first out, for senders and receivers alike.
//
//   coro::Channel<Item> channel(16);
//   MUSTER_CO_RETURN_IF_ERROR(co_await channel.Send(token, std::move(item)));     // waits while it is full
//   std::optional<Item> item;
//   MUSTER_CO_RETURN_IF_ERROR(co_await channel.Receive(token, item));             // waits while it is empty
//   if (!item) break;                                                             // closed and drained
//
// A cancelled Send has sent nothing; a cancelled Receive has taken nothing: an item that was on its way to it stays the
// first of the queue (semantics 87). After Close, Send gives FailedPrecondition and Receive drains.
//
// Threading: one executor. Lifetime: outlives its waiters.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "absl/status/status.h"

#include "service/base/check.h"
#include "service/coro/cancel.h"
#include "service/coro/semaphore.h"
#include "service/coro/task.h"

namespace muster::coro {

template <typename T>
class Channel {
 public:
  explicit Channel(std::size_t capacity) : free_(static_cast<std::int64_t>(capacity)), filled_(0), capacity_(capacity) {
    MUSTER_CHECK_GT(capacity, 0u);
  }

  Task<absl::Status> Send(CancelToken& token, T item) {
    if (absl::Status acquired = co_await free_.Acquire(token); !acquired.ok()) co_return acquired;
    if (closed_) {
      free_.Release();
      co_return absl::FailedPreconditionError("the channel is closed");
    }
    Put(std::move(item));
    co_return absl::OkStatus();
  }

  // False when it is full or closed: `item` is left alone then.
  bool TrySend(T&& item) {
    if (closed_ || !free_.TryAcquire()) return false;
    Put(std::move(item));
    return true;
  }

  // OK with an item, or with none when the channel is closed and drained.
  Task<absl::Status> Receive(CancelToken& token, std::optional<T>& item) {
    item.reset();
    if (absl::Status acquired = co_await filled_.Acquire(token); !acquired.ok()) co_return acquired;
    if (items_.empty()) {
      filled_.Release();  // the token of Close: it wakes one receiver after the other
      co_return absl::OkStatus();
    }
    item.emplace(std::move(items_.front()));
    items_.pop_front();
    free_.Release();
    co_return absl::OkStatus();
  }

  // May be called again.
  void Close() {
    if (std::exchange(closed_, true)) return;
    filled_.Release();
    free_.Release();  // each woken sender passes it on
  }

  bool closed() const { return closed_; }
  std::size_t size() const { return items_.size(); }
  std::size_t capacity() const { return capacity_; }

 private:
  void Put(T&& item) {
    items_.push_back(std::move(item));
    filled_.Release();
  }

  Semaphore free_;    // a permit for each free place
  Semaphore filled_;  // a permit for each item, and one more once it is closed
  std::deque<T> items_;
  const std::size_t capacity_;
  bool closed_ = false;
};

}  // namespace muster::coro
