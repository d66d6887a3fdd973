// Where other threads leave runnables for an executor: a lock-free stack of what came, taken whole by its one reader.
//
// A push is one successful compare-exchange, whatever the list's length, and the reader's take is one exchange; nothing
// is ever popped singly, so there is no ABA problem.
//
// Threading: Push and empty from any thread, Take from the owner's. Lifetime: as Executor::Post.
#pragma once

#include <atomic>

#include "service/coro/runnable.h"

namespace muster::coro {

class RemoteInbox {
 public:
  // True when the inbox was empty: then, and only then, it is the caller who must see to it that the owner looks.
  // Sequentially consistent, as is empty(): a sleeper stores "asleep" and looks here, a poster pushes and looks at
  // "asleep"; one of the two sees the other.
  bool Push(RunnableList list) {
    if (list.empty()) return false;
    // Stored newest first, so that Take turns the whole chain round at once. A list of one needs no turning here.
    Runnable* oldest = list.first_;
    Runnable* newest = Reverse(list.first_);
    Runnable* head = head_.load(std::memory_order_relaxed);
    do {
      oldest->next_ = head;
    } while (!head_.compare_exchange_weak(head, newest, std::memory_order_seq_cst, std::memory_order_relaxed));
    list.first_ = list.last_ = nullptr;
    return head == nullptr;
  }

  // Everything that was pushed, in the order of the pushes.
  RunnableList Take() {
    RunnableList list;
    if (head_.load(std::memory_order_relaxed) == nullptr) return list;
    Runnable* newest = head_.exchange(nullptr, std::memory_order_acquire);
    if (newest == nullptr) return list;
    list.last_ = newest;
    list.first_ = Reverse(newest);
    return list;
  }

  bool empty() const { return head_.load(std::memory_order_seq_cst) == nullptr; }

 private:
  static Runnable* Reverse(Runnable* from) {
    Runnable* reversed = nullptr;
    while (from != nullptr) {
      Runnable* next = from->next_;
      from->next_ = reversed;
      reversed = from;
      from = next;
    }
    return reversed;
  }

  std::atomic<Runnable*> head_{nullptr};
};

}  // namespace muster::coro
