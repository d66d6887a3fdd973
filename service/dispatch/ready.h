// The jobs that are ready and have no place yet: by function, first come, first served.
//
// Threading: the loop's thread. It owns its jobs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"

#include "service/base/block_pool.h"
#include "service/base/clock.h"
#include "service/base/intrusive_list.h"
#include "service/dispatch/run.h"

namespace muster::dispatch {

struct ReadyJob final : Run, base::Pooled {
  ReadyJob(core::StartJob&& s, uint64_t o) : Run(std::move(s), nullptr), order(o) {}

  const uint64_t order;    // of its arrival among all
  base::Instant since{};   // when it came, for whoever counts how long jobs wait
  bool cancelled = false;  // its body is told so as soon as it starts
  base::ListHook hook;
};

class Ready {
 public:
  Ready() = default;
  ~Ready();
  Ready(const Ready&) = delete;
  Ready& operator=(const Ready&) = delete;

  ReadyJob& Push(core::StartJob&& start);
  std::unique_ptr<ReadyJob> Take(ReadyJob& job);

  // Null when none of that function is ready.
  ReadyJob* Oldest(values::FunctionId function) const;
  size_t size(values::FunctionId function) const;
  size_t size() const { return size_; }

 private:
  struct Queue {
    base::IntrusiveList<ReadyJob, &ReadyJob::hook> jobs;
    size_t size = 0;
  };

  absl::flat_hash_map<values::FunctionId, std::unique_ptr<Queue>> queues_;
  uint64_t last_ = 0;
  size_t size_ = 0;
};

}  // namespace muster::dispatch
