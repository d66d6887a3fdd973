// One entry of an executor's ready list, and the list: intrusive, so that making something ready allocates nothing and
// a whole list crosses threads with one exchange.
//
// Threading: none of its own. Lifetime: a Runnable lives until it has run; whoever owns it sees to that.
#pragma once

#include <cstddef>

#include "service/base/check.h"

namespace muster::coro {

class Runnable {
 public:
  // Called once for each time it was scheduled, on the executor's thread. It may destroy the Runnable.
  using Entry = void (*)(Runnable&);

  explicit Runnable(Entry run) : run_(run) {}
  Runnable(const Runnable&) = delete;
  Runnable& operator=(const Runnable&) = delete;

  void Run() { run_(*this); }

 protected:
  ~Runnable() = default;
  // Only while it is not scheduled.
  void SetEntry(Entry run) { run_ = run; }

 private:
  friend class RunnableList;
  friend class RemoteInbox;

  Runnable* next_ = nullptr;
  Entry run_;
};

// First in, first out. Moving it is cheap and leaves an empty list behind.
class RunnableList {
 public:
  RunnableList() = default;
  RunnableList(const RunnableList&) = delete;
  RunnableList& operator=(const RunnableList&) = delete;
  RunnableList(RunnableList&& other) noexcept { *this = static_cast<RunnableList&&>(other); }
  RunnableList& operator=(RunnableList&& other) noexcept {
    first_ = other.first_;
    last_ = other.last_;
    other.first_ = other.last_ = nullptr;
    return *this;
  }

  bool empty() const { return first_ == nullptr; }

  void PushBack(Runnable& runnable) {
    runnable.next_ = nullptr;
    if (last_ == nullptr) {
      first_ = &runnable;
    } else {
      last_->next_ = &runnable;
    }
    last_ = &runnable;
  }

  // Null when empty.
  Runnable* PopFront() {
    Runnable* runnable = first_;
    if (runnable == nullptr) return nullptr;
    first_ = runnable->next_;
    if (first_ == nullptr) last_ = nullptr;
    return runnable;
  }

  // Moves everything of `other` behind this list's last.
  void Append(RunnableList&& other) {
    if (other.empty()) return;
    if (last_ == nullptr) {
      first_ = other.first_;
    } else {
      last_->next_ = other.first_;
    }
    last_ = other.last_;
    other.first_ = other.last_ = nullptr;
  }

 private:
  friend class RemoteInbox;

  Runnable* first_ = nullptr;
  Runnable* last_ = nullptr;
};

}  // namespace muster::coro
