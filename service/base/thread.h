// The only place that makes threads: each has a name (shown by ps, gdb, perf) and is joined before its object dies.
//
// Threading: the object belongs to one owner. Join may block; a thread that joins itself is a bug and CHECKs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "service/base/function.h"

namespace muster::base {

class Thread {
 public:
  Thread() = default;
  // Linux keeps the first 15 bytes of `name`.
  Thread(std::string name, UniqueFunction<void()> body);
  Thread(Thread&&) noexcept = default;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread();

  // Blocks until the body has returned. Does nothing when there is no thread, or it was joined before.
  void Join();
  bool joinable() const { return thread_.joinable(); }

 private:
  std::thread thread_;
};

// Number of CPUs this process may use, at least 1: by its affinity and by its control group's quota, rounded up. Not
// the host's, which in a container is a number that means nothing.
int UsableCpuCount();
// The quota in the text of a control group's cpu.max ("max 100000", "150000 100000"), rounded up; nothing if unlimited.
std::optional<int> CpuQuota(std::string_view cpu_max);

}  // namespace muster::base
