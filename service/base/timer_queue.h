// The timers of one thread: an intrusive indexed 4-ary heap keyed by (deadline, order of insertion).
//
// Add and Remove cost O(log n), the next deadline is exact and costs O(1), equal deadlines come first in, first out.
// Why no timer wheel: docs/adr/0002-timer-queue.md.
//
// Threading: none of its own. Lifetime: the queue owns nothing; a Timer must be removed (or popped) before it dies or
// moves, which its destructor CHECKs. The heap's array is the only allocation, and it only grows.
//
//   struct Lease { base::Timer timer; ... };
//   queue.Add(lease.timer, deadline);
//   while (base::Timer* due = queue.PopDue(now)) ...;
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "service/base/check.h"
#include "service/base/clock.h"

namespace muster::base {

class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { MUSTER_CHECK(!armed()) << "a timer died while it was armed"; }

  bool armed() const { return position_ != kUnarmed; }
  // Of the last Add; meaningless before it.
  Instant deadline() const { return deadline_; }

 private:
  friend class TimerQueue;
  static constexpr std::uint32_t kUnarmed = 0xffffffff;

  Instant deadline_{};
  std::uint32_t position_ = kUnarmed;
};

class TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue() {
    for (Entry& entry : heap_) entry.timer->position_ = Timer::kUnarmed;
  }

  // `timer` must not be armed. A deadline of kNever is legal and never due.
  void Add(Timer& timer, Instant deadline) {
    MUSTER_CHECK(!timer.armed()) << "a timer was armed twice";
    timer.deadline_ = deadline;
    heap_.push_back(Entry{deadline, next_sequence_++, &timer});
    SiftUp(heap_.size() - 1);
  }

  // Returns false when the timer is not armed (it fired, or never was).
  bool Remove(Timer& timer) {
    if (!timer.armed()) return false;
    const std::size_t hole = timer.position_;
    MUSTER_CHECK(hole < heap_.size() && heap_[hole].timer == &timer) << "the timer is armed in another queue";
    timer.position_ = Timer::kUnarmed;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (hole < heap_.size()) {
      heap_[hole] = last;
      last.timer->position_ = static_cast<std::uint32_t>(hole);
      if (hole > 0 && Before(last, heap_[Parent(hole)])) {
        SiftUp(hole);
      } else {
        SiftDown(hole);
      }
    }
    return true;
  }

  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  // kNever when nothing is armed.
  Instant NextDeadline() const { return heap_.empty() ? kNever : heap_.front().deadline; }

  // The first timer whose deadline is not after `now`, disarmed; null when there is none.
  Timer* PopDue(Instant now) {
    if (heap_.empty() || heap_.front().deadline > now || heap_.front().deadline == kNever) return nullptr;
    Timer* timer = heap_.front().timer;
    Remove(*timer);
    return timer;
  }

 private:
  // The key stands beside the pointer so that sifting does not touch the timers' cache lines to compare.
  struct Entry {
    Instant deadline;
    std::uint64_t sequence;
    Timer* timer;
  };

  static bool Before(const Entry& a, const Entry& b) {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence;
  }
  static std::size_t Parent(std::size_t at) { return (at - 1) / 4; }

  void Place(std::size_t at, const Entry& entry) {
    heap_[at] = entry;
    entry.timer->position_ = static_cast<std::uint32_t>(at);
  }

  void SiftUp(std::size_t at) {
    const Entry entry = heap_[at];
    while (at > 0 && Before(entry, heap_[Parent(at)])) {
      Place(at, heap_[Parent(at)]);
      at = Parent(at);
    }
    Place(at, entry);
  }

  void SiftDown(std::size_t at) {
    const Entry entry = heap_[at];
    for (;;) {
      const std::size_t first = 4 * at + 1;
      if (first >= heap_.size()) break;
      std::size_t least = first;
      for (std::size_t child = first + 1; child < heap_.size() && child < first + 4; ++child) {
        if (Before(heap_[child], heap_[least])) least = child;
      }
      if (!Before(heap_[least], entry)) break;
      Place(at, heap_[least]);
      at = least;
    }
    Place(at, entry);
  }

  std::vector<Entry> heap_;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace muster::base
