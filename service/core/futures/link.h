// Somebody's interest in a future: told once when the future is done, in the order in which the links were made
// (semantics 16), and a pin that holds the future past its retention until the link is released.
//
// Lifetime: a link belongs to its wait, stream, combinator, await or subscription, and is released before that dies.
#pragma once

#include <cstdint>

#include "service/base/intrusive_list.h"
#include "service/core/door/values.h"

namespace muster::core {

struct Future;
struct Wait;
struct Stream;

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

// Another shard's interest in a future of this one.
struct RemoteLink : Link {
  RemoteLink() : Link(Kind::kRemote) {}
  FutureId subscriber;
  uint32_t index = 0;
  NamespaceId ns = 0;
};

// What a combinator or an await knows of a future that may live in another shard. Cancels sent there are counted on
// both sides: one that came too late to take is then not lost but turned on the asker itself, as Task.cancel() does
// when the awaited future refuses.
struct Remote {
  bool in_use = false;      // subscribed: an unsubscribe is owed
  bool subscribed = false;  // the other shard has answered
  uint32_t cancels_sent = 0;
  uint32_t cancels_taken = 0;  // known once settled
  uint64_t walk = 0;           // the last cancel that was sent
  State state = State::kPending;
  OutcomeRef outcome;
};

}  // namespace muster::core
