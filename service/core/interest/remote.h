// Links to futures of other shards, and other shards' links to futures of this one.
//
// Each message may come twice, and those of one pair of shards come in order. What is no longer wanted is answered with
// Unsubscribe, so that a late repetition leaves nothing behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/container/flat_hash_map.h"

#include "service/core/door/message.h"
#include "service/core/door/query.h"
#include "service/core/futures/future.h"

namespace muster::core {

struct Turn;

// --- In the member's shard

class RemoteLinks {
 public:
  // Null when there is none.
  RemoteLink* Find(const Subscription& of) {
    const auto found = links_.find(Key{of.subscriber, of.index});
    return found == links_.end() ? nullptr : found->second.get();
  }
  RemoteLink& Add(const Subscription& of) {
    auto fresh = std::make_unique<RemoteLink>();
    RemoteLink& link = *fresh;
    link.subscriber = of.subscriber;
    link.index = of.index;
    link.ns = of.ns;
    links_.emplace(Key{of.subscriber, of.index}, std::move(fresh));
    return link;
  }
  // The link must have been released.
  void Erase(const Subscription& of) { links_.erase(Key{of.subscriber, of.index}); }
  void CheckInvariants(ShardStats& seen) const { seen.links += links_.size(); }

 private:
  struct Key {
    FutureId subscriber;
    uint32_t index = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const {
      return std::hash<FutureId>()(key.subscriber) + key.index * size_t{0x9E3779B97F4A7C15};
    }
  };
  absl::flat_hash_map<Key, std::unique_ptr<RemoteLink>, Hash> links_;
};

void OnMessage(Turn& turn, ShardMessage& message);
// The future that `link` holds is done.
void SendSettled(Turn& turn, RemoteLink& link);

// --- In the subscriber's shard

// How many of the cancels that were sent took. Of the last it does not matter by which way it came: it was one cancel.
uint32_t CancelsTaken(const Remote& remote, const TargetState& target);
void Send(Turn& turn, ShardIndex shard, ShardMessage message);
void SubscribeTo(Turn& turn, const FutureId& target, const Future& subscriber, uint32_t index, bool relink);
void UnsubscribeFrom(Turn& turn, const FutureId& target, const Future& subscriber, uint32_t index);

}  // namespace muster::core
