// What every shard runner shares. Constant after construction, or atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "service/base/clock.h"
#include "service/dispatch/directory.h"
#include "service/dispatch/pool_room.h"
#include "service/executor/blocking_pool.h"
#include "service/runtime/committer.h"
#include "service/runtime/namespaces.h"
#include "service/runtime/observer.h"
#include "service/runtime/service.h"

namespace muster::runtime {

class ShardRunner;

// Plain counts that admission compares with the limits; each is added to by the loop where it happens.
struct Usage {
  std::atomic<int64_t> pending_futures{0};
  std::atomic<int64_t> blocking_queued{0};  // blocking jobs that have been accepted and do not run yet
  std::atomic<int64_t> waiters{0};
  std::atomic<int64_t> streams{0};
  std::atomic<int64_t> wait_members{0};
};

struct Shared {
  Shared(const Service::Options& o, dispatch::Directory& d, executor::BlockingPool& p, const base::Clock& c,
         Observer& obs, size_t loop_count)
      : options(o),
        loops(loop_count),
        directory(d),
        pool_room(p),
        clock(c),
        observer(obs),
        namespaces(o.limits.namespaces_max),
        recovering(o.store != nullptr),
        store(o.store) {}

  const Service::Options options;
  const size_t loops;
  dispatch::Directory& directory;
  dispatch::PoolRoom pool_room;
  const base::Clock& clock;
  Observer& observer;
  Namespaces namespaces;
  Usage usage;
  std::atomic<bool> draining{false};  // set once; every submit looks
  // Stored (release) by whoever has restored the shards, loaded (acquire) by the loops before they touch one.
  std::atomic<bool> recovering{false};
  std::atomic<bool> store_failed{false};  // set once, by the committer
  std::atomic<bool> store_full{false};    // admission looks
  Store* const store;                     // null: nothing survives
  std::unique_ptr<Committer> committer;   // with a store
  // Request ids that each shard remembers; stored by its loop, summed by whoever submits.
  std::vector<std::atomic<uint64_t>> request_ids = std::vector<std::atomic<uint64_t>>(options.shards);
  std::vector<std::unique_ptr<ShardRunner>> runners;  // one a loop

  ShardRunner& OwnerOf(values::ShardIndex shard) { return *runners[shard % loops]; }
  base::Instant Now() const { return clock.Now(); }
};

}  // namespace muster::runtime
