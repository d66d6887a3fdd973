// The records of a shard: a future, the links that others hold to it, and what only some futures need.
//
// Lifetime: futures lie in the shard's slab at stable addresses; a link belongs to its wait, stream, combinator, await
// or subscription and is released before that dies.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/base/block_pool.h"
#include "service/base/clock.h"
#include "service/base/intrusive_list.h"
#include "service/core/detail/groups.h"
#include "service/core/detail/request_ids.h"
#include "service/core/detail/timer.h"
#include "service/core/door/command.h"
#include "service/core/record/record.h"
#include "service/values/outcome.h"

namespace muster::core {

struct Future;
struct Wait;
struct Stream;

// Somebody's interest in a future: told once when the future is done, in the order in which the links were made
// (semantics 16), and a pin that holds the future past its retention until the link is released.
struct Link {
  enum class Kind : uint8_t { kWait, kStream, kMember, kAwait, kRemote };

  explicit Link(Kind kind) : kind(kind) {}

  base::ListHook hook;       // in `member->links` until that is done
  Future* member = nullptr;  // null: not connected, or the member lives in another shard
  const Kind kind;
};

struct WaitLink : Link {
  WaitLink() : Link(Kind::kWait) {}
  Wait* wait = nullptr;
};

struct StreamLink : Link {
  StreamLink() : Link(Kind::kStream) {}
  Stream* stream = nullptr;
};

// What a combinator or an await knows of a future that may live in another shard. Cancels sent there are counted on
// both sides: one that came too late to take is then not lost but turned on the asker itself, as Task.cancel() does
// when the awaited future refuses.
struct Remote {
  bool in_use = false;      // subscribed: an unsubscribe is owed
  bool subscribed = false;  // the other shard has answered
  uint32_t cancels_sent = 0;
  uint32_t cancels_taken = 0;  // known once settled
  State state = State::kPending;
  OutcomeRef outcome;
};

// A distinct member of a combinator.
struct MemberLink : Link {
  MemberLink() : Link(Kind::kMember) {}
  Future* combinator = nullptr;
  FutureId id;
  uint32_t times = 1;    // how often it stands in a gather's input
  bool settled = false;  // done, and the combinator has been told
  Remote remote;
};

struct AwaitLink : Link {
  AwaitLink() : Link(Kind::kAwait) {}
  Future* job = nullptr;
  Token token = kNoToken;
  bool open = false;
  uint32_t count = 0;  // awaits of this job so far; names this one between shards
  FutureId target;
  // A cancel could not be passed on to the target: the body sees it in place of the target's outcome.
  bool must_cancel = false;
  std::string cancel_message;
  uint32_t cancels_passed = 0;
  Remote remote;
};

// Another shard's interest in a future of this one.
struct RemoteLink : Link {
  RemoteLink() : Link(Kind::kRemote) {}
  FutureId subscriber;
  uint32_t index = 0;
  NamespaceId ns = 0;
};

struct Wait {
  Wait() : timer(ShardTimer::Of::kWait, this) {}
  Token token = kNoToken;
  ReturnWhen return_when = ReturnWhen::kAllCompleted;
  bool take_outcomes = true;
  uint32_t remaining = 0;
  uint32_t count = 0;
  std::unique_ptr<WaitLink[]> links;
  ShardTimer timer;
};

struct Stream {
  Stream() : timer(ShardTimer::Of::kStream, this) {}
  Token token = kNoToken;
  uint32_t count = 0;
  uint64_t remaining = 0;  // members not delivered yet
  uint32_t undone = 0;     // of these, not completed
  std::unique_ptr<StreamLink[]> links;
  std::vector<FutureId> vanished;  // reported as kExpired, before all else
  size_t vanished_at = 0;
  std::vector<StreamLink*> ready;  // completed, in order
  size_t ready_at = 0;
  bool timed_out = false;
  bool reader_told = false;
  ShardTimer timer;
};

struct Asker {
  Token token = kNoToken;
  bool attach = false;
};

// The part of a future that a combinator alone has.
struct Combinator {
  uint32_t count = 0;      // distinct members
  bool relinking = false;  // after a restart: the members in other shards are being asked again
  std::unique_ptr<MemberLink[]> members;
  uint32_t depth = 1;
  uint32_t unanswered = 0;                        // subscriptions to other shards not answered yet
  uint32_t finished = 0;                          // members settled and looked at
  std::vector<std::pair<FutureId, int>> refused;  // the first ten, with the base::Reason
  uint32_t refused_count = 0;
  // Whom to answer once the other shards have: the submit, and its repetitions by request id.
  std::vector<Asker> askers;

  // gather
  std::vector<uint32_t> positions;  // of the input: which member; empty when it is the identity
  bool return_exceptions = false;
  bool cancel_requested = false;  // a cancel took for certain
  bool cancel_in_doubt = false;   // a cancel went to members elsewhere

  // wait_for
  std::optional<base::Duration> timeout;
  base::Duration grace{0};
  bool polling = false;   // timeout <= 0: cancel the inner, then wait for it (semantics 60)
  bool expiring = false;  // the timeout fired and has asked for its cancel
  bool must_cancel = false;
  std::string cancel_message;
  uint32_t cancels_passed = 0;
};

// What few futures have. Never taken away once there.
struct Cold : base::Pooled {
  std::shared_ptr<const Options> options;
  GroupMember group;
  base::IntrusiveList<RequestEntry, &RequestEntry::hook> requests;
  std::unique_ptr<Combinator> combinator;
  std::unique_ptr<AwaitLink> await;
  std::vector<Token> more_calls;
  std::string settle_request_id;
  std::string cancel_message;  // of the last cancel of a running body: what it ends with if its next run never comes
  std::vector<RemoteCancelRecord> remote_cancels;
  std::string progress_message;
  double progress_fraction = 0;
  base::Instant progress_time = base::kNever;
};

struct Future {
  Future() : timer(ShardTimer::Of::kFuture, this) {}

  base::IntrusiveList<Link, &Link::hook> links;
  base::ListHook created;  // among all of the shard, in order of creation
  // One at a time: delay, queue timeout, run timeout, wait_for's timeout and grace, at last the retention.
  ShardTimer timer;
  uint64_t sequence = 0;
  uint64_t completion_sequence = 0;
  uint64_t stamp = 0;        // of the last walk that came by: how duplicates are noticed without a hash
  uint64_t cancel_walk = 0;  // the last cancel that came by
  Token call = kNoToken;     // attached; more of them in `cold`
  base::Instant create_time, start_time = base::kNever, end_time = base::kNever, cancel_time = base::kNever;
  base::Duration retention{0};
  uint64_t saved_in = 0;  // the batch that took its last change
  Payload input;          // until done
  OutcomeRef outcome;
  std::unique_ptr<Cold> cold;
  int64_t bytes = 0;
  uint32_t slot = 0;
  uint32_t incarnation = 0;
  NamespaceId ns = 0;
  FunctionId function = 0;
  uint32_t cancelling = 0;
  uint32_t attempt = 0;
  uint32_t pins = 0;
  uint16_t ns_tag = 0;
  State state = State::kPending;
  FutureKind kind = FutureKind::kJob;
  FunctionKind function_kind = FunctionKind::kAsync;
  bool announced : 1 = false;  // its submit has been answered: others may see it
  bool hidden : 1 = false;     // deleted, and pinned still
  bool called : 1 = false;     // `call` is attached
  bool retrieved : 1 = false;  // somebody was given the outcome (semantics 19)
  bool drop_when_delivered : 1 = false;
  bool expired : 1 = false;  // goes with the last pin
  bool doomed : 1 = false;   // in the list of those to go at the end of this call
  bool run_timed_out : 1 = false;
  bool cancel_missed : 1 = false;   // a gather whose cancel found all its members elsewhere done
  bool on_path : 1 = false;         // between entering and leaving it in a walk of a cancel
  bool block_head : 1 = false;      // the first of its block in the index of creation
  bool dirty : 1 = false;           // changed since the last batch
  bool stored : 1 = false;          // some batch has its row
  bool input_stored : 1 = false;    // and that of its input
  bool members_stored : 1 = false;  // and that of its members
  bool unresumed : 1 = false;       // restored, and not handed to the dispatcher yet

  bool visible() const { return announced && !hidden; }
  bool done() const { return IsDone(state); }
  Combinator& combinator() const { return *cold->combinator; }
  AwaitLink* open_await() const { return cold && cold->await && cold->await->open ? cold->await.get() : nullptr; }
  const Options* options() const { return cold ? cold->options.get() : nullptr; }
};

// One future in a shard must stay cheap: a million of them wait at a time.
static_assert(sizeof(Future) <= 384);

}  // namespace muster::core
