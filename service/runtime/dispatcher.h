// Runs the jobs of one loop's shards: async bodies as coroutines on the loop, blocking ones on the pool.
//
// Threading: the loop's thread. Lifetime: destroyed when no job is left (Drain ends them first).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "service/core/door/effect.h"
#include "service/values/id.h"

namespace muster::runtime {

class ShardHost;
class AsyncRun;
class BlockingRun;

class Dispatcher {
 public:
  explicit Dispatcher(ShardHost& runner);
  ~Dispatcher();

  void Start(core::StartJob&& start);
  void Withdraw(const core::WithdrawJob& withdraw);
  void Cancel(const core::CancelJob& cancel);

  // Any thread.
  uint64_t running() const { return running_.load(std::memory_order_relaxed); }
  // Cancels every body; each ends as it sees fit.
  void CancelAll(const std::string& message);

 private:
  friend class AsyncRun;
  friend class BlockingRun;

  // The place of a future's run. A slot has one future at a time, which cannot go before its job has ended.
  AsyncRun*& AsyncAt(const values::FutureId& id);
  // Null when there is none.
  AsyncRun* FindAsync(const values::FutureId& id);
  void Forget(const AsyncRun& run);
  void Forget(const BlockingRun& run);
  void CountRunning(int by) {  // the loop alone writes
    running_.store(running_.load(std::memory_order_relaxed) + static_cast<uint64_t>(by), std::memory_order_relaxed);
  }

  ShardHost& runner_;
  // By the place of the shard among the loop's, then by the future's slot in it: an array finds in two steps what a map
  // of ids would be hashed for with each job.
  std::vector<std::vector<AsyncRun*>> async_;
  absl::flat_hash_map<values::FutureId, std::shared_ptr<BlockingRun>> blocking_;
  std::atomic<uint64_t> running_{0};
};

}  // namespace muster::runtime
