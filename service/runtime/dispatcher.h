// Runs the jobs of one loop's shards: async bodies as coroutines on the loop, blocking ones on the pool.
//
// Threading: the loop's thread. Lifetime: destroyed when no job is left (Drain ends them first).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"

#include "service/core/effect.h"
#include "service/core/id.h"

namespace muster::runtime {

class ShardRunner;
class AsyncRun;
class BlockingRun;

class Dispatcher {
 public:
  explicit Dispatcher(ShardRunner& runner);
  ~Dispatcher();

  void Start(core::StartJob start);
  void Withdraw(const core::WithdrawJob& withdraw);
  void Cancel(const core::CancelJob& cancel);

  size_t running() const { return async_.size() + blocking_.size(); }
  // Cancels every body; each ends as it sees fit.
  void CancelAll(const std::string& message);

 private:
  friend class AsyncRun;
  friend class BlockingRun;

  ShardRunner& runner_;
  absl::flat_hash_map<core::FutureId, AsyncRun*> async_;
  absl::flat_hash_map<core::FutureId, std::shared_ptr<BlockingRun>> blocking_;
};

}  // namespace muster::runtime
