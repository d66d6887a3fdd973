// What shards say to each other: a combinator or an await here whose member lives there, and the other way round.
//
// Each may arrive twice, and those of one pair of shards come in order. A subscription is known by (subscriber, index),
// which tells a repetition.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "service/base/reason.h"
#include "service/core/door/values.h"

namespace muster::core {

struct Subscription {
  FutureId target;
  FutureId subscriber;  // a combinator, or a job that awaits
  uint32_t index = 0;   // which member of it; for an awaiting job its await's count
  NamespaceId ns = 0;
};

// How a target stands.
struct TargetState {
  State state = State::kPending;
  OutcomeRef outcome;          // once done
  uint32_t cancels_taken = 0;  // of those that this subscriber has sent; once done
  uint64_t cancel_walk = 0;    // the last cancel that came by before it was done, unless it came too late; once done
};

// To the member's shard: say when the target is done. Pins the target.
struct Subscribe {
  Subscription link;
  bool relink = false;  // sent again after a restart, so a target that was deleted meanwhile is found too
};
// Back: found, or refused.
struct Subscribed {
  Subscription link;
  std::optional<base::Reason> refusal;
  TargetState target;
  uint32_t depth = 0;  // how deep the target nests
};
// Back: the target is done.
struct Settled {
  Subscription link;
  TargetState target;
};
// To the member's shard: drop link and pin.
struct Unsubscribe {
  Subscription link;
};
// The way that a cancel came through other shards: a walk that passes by twice is the same cancel, and one that comes
// back to a job that it left through has gone in a circle.
struct CancelWay {
  uint32_t hops = 0;               // shards
  uint64_t walk = 0;               // which cancel; 0: a new one
  std::vector<FutureId> awaiting;  // the jobs that passed it on to what they await
};
// To the member's shard: cancel the target.
struct CancelMember {
  Subscription link;
  uint32_t times = 1;  // of all so far, so that a repetition adds nothing
  CancelWay way;
  std::string message;
};

using ShardMessage = std::variant<Subscribe, Subscribed, Settled, Unsubscribe, CancelMember>;

}  // namespace muster::core
