// One limit and the one counter that is compared with it. What is offered can be used up to its last unit: `amount` is
// taken exactly if it fits, and who does not fit never stands in the way of somebody who does.
//
// Threading: any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace muster::runtime {

class Quota {
 public:
  explicit Quota(uint64_t max) : max_(static_cast<int64_t>(max)) {}

  int64_t max() const { return max_; }
  int64_t used() const { return used_.load(std::memory_order_relaxed); }

  bool TryTake(int64_t amount) {
    int64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (amount > max_ - used) return false;
    } while (!used_.compare_exchange_weak(used, used + amount, std::memory_order_relaxed));
    return true;
  }
  void Return(int64_t amount) { used_.fetch_sub(amount, std::memory_order_relaxed); }

 private:
  const int64_t max_;
  std::atomic<int64_t> used_{0};  // stands for itself
};

}  // namespace muster::runtime
