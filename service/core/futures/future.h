// A future, and what only some futures need.
//
// Lifetime: futures lie in the shard's slab at stable addresses and are freed at the end of a call only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "service/base/block_pool.h"
#include "service/base/clock.h"
#include "service/base/intrusive_list.h"
#include "service/core/door/command.h"
#include "service/core/futures/await.h"
#include "service/core/futures/combinator.h"
#include "service/core/futures/facts.h"
#include "service/core/futures/groups.h"
#include "service/core/futures/link.h"
#include "service/core/futures/request_ids.h"
#include "service/core/futures/timer.h"

namespace muster::core {

// What a running body last said of itself.
struct Progress {
  double fraction = 0;
  std::string message;
  base::Instant time = base::kNever;
};

// What few futures have. Never taken away once there.
struct Cold : base::Pooled {
  GroupMember group;
  base::IntrusiveList<RequestEntry, &RequestEntry::hook> requests;
  std::unique_ptr<Combinator> combinator;
  std::unique_ptr<AwaitLink> await;
  std::unique_ptr<Progress> progress;
  std::vector<Token> more_calls;
  values::Text settle_request_id;
  values::Text cancel_message;  // of the last cancel of a running body: what it ends with if its next run never comes
  std::unique_ptr<std::vector<RemoteCancelRecord>> remote_cancels;  // null unless another shard has cancelled it
};

// Its timer is one at a time: delay, queue timeout, run timeout, wait_for's timeout and grace, at last the retention.
struct Future : ShardTimer, Facts {
  Future() : ShardTimer(Of::kFuture) {}

  base::IntrusiveList<Link, &Link::hook> links;
  base::ListHook created;  // among all of the shard, in order of creation
  uint64_t sequence = 0;
  uint64_t stamp = 0;        // of the last walk that came by: how duplicates are noticed without a hash
  uint64_t cancel_walk = 0;  // the last cancel that came by
  Token call = kNoToken;     // attached; more of them in `cold`
  uint64_t saved_in = 0;     // the batch that took its last change
  Payload input;             // until done
  std::unique_ptr<Cold> cold;
  int64_t bytes = 0;
  uint32_t slot = 0;
  uint32_t incarnation = 0;
  uint32_t pins = 0;
  uint16_t ns_tag = 0;
  bool announced : 1 = false;       // its submit has been answered: others may see it
  bool called : 1 = false;          // `call` is attached
  bool doomed : 1 = false;          // in the list of those to go at the end of this call
  bool on_path : 1 = false;         // between entering and leaving it in a walk of a cancel
  bool block_head : 1 = false;      // the first of its block in the index of creation
  bool dirty : 1 = false;           // changed since the last batch
  bool stored : 1 = false;          // some batch has its row
  bool input_stored : 1 = false;    // and that of its input
  bool members_stored : 1 = false;  // and that of its members
  bool unresumed : 1 = false;       // restored, and not handed out to be run yet

  bool visible() const { return announced && !hidden; }
  bool done() const { return IsDone(state); }
  Combinator* combinator_or_null() const { return cold ? cold->combinator.get() : nullptr; }
  Combinator& combinator() const { return *cold->combinator; }
  AwaitLink* open_await() const { return cold && cold->await && cold->await->open ? cold->await.get() : nullptr; }
};

// One future in a shard must stay cheap: a million of them wait at a time.
static_assert(sizeof(Future) <= 256);

// Made when it is needed.
inline Cold& ColdOf(Future& future) {
  if (!future.cold) {
    future.cold = std::make_unique<Cold>();
    future.cold->group.future = &future;
  }
  return *future.cold;
}

}  // namespace muster::core
