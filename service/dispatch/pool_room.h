// The places in a blocking pool that all loops of a server share, and the line of those who wait for one.
//
// There are as many as threads, and as many again: a thread that ends finds its next job without a round trip through a
// loop (docs/adr/0082-a-job-waits-in-one-list.md). A place is taken from the moment a job is given to the pool until
// its body has returned, even if nobody wants what it returns any more.
//
// Threading: any thread. Lifetime: the pool outlives it; it outlives the loops' PoolPlaces.
#pragma once

#include <cstddef>

#include "service/base/intrusive_list.h"
#include "service/base/mutex.h"
#include "service/executor/blocking_pool.h"

namespace muster::dispatch {

class PoolRoom {
 public:
  // A loop that wants room. Each has at most one place reserved or is in line once.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    // Called by whichever thread gave a place back: Take will say yes. It must not call back.
    virtual void OnRoom() = 0;

   private:
    friend class PoolRoom;
    base::ListHook hook_;   // in line_
    bool granted_ = false;  // under the room's mutex
  };

  explicit PoolRoom(executor::BlockingPool& pool);

  executor::BlockingPool& pool() { return pool_; }

  // False: none is free, and the waiter is in line.
  bool Take(Waiter& waiter) MUSTER_EXCLUDES(mutex_);
  // To the first in line, if there is one.
  void Give() MUSTER_EXCLUDES(mutex_);
  // Out of the line; a place that was meant for it goes to the next.
  void Leave(Waiter& waiter) MUSTER_EXCLUDES(mutex_);

 private:
  void GiveLocked() MUSTER_REQUIRES(mutex_);

  executor::BlockingPool& pool_;
  base::Mutex mutex_;
  size_t free_ MUSTER_GUARDED_BY(mutex_);
  base::IntrusiveList<Waiter, &Waiter::hook_> line_ MUSTER_GUARDED_BY(mutex_);
};

}  // namespace muster::dispatch
