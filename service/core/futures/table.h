// The table of a shard's futures: where they lie, how they are found, in which order they were made, and why one is not
// there.
//
// Threading: its shard's. Lifetime: futures lie at stable addresses until Erase.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

#include "service/base/intrusive_list.h"
#include "service/base/reason.h"
#include "service/base/slab.h"
#include "service/core/door/command.h"
#include "service/core/door/query.h"
#include "service/core/futures/future.h"
#include "service/core/futures/groups.h"
#include "service/core/futures/missing.h"
#include "service/core/shard_options.h"

namespace muster::core {

// The distinct members of a set, or why there are none.
struct Resolved {
  absl::Status refusal;
  std::vector<Future*> members;
  std::vector<FutureId> vanished;
};

class FutureTable {
 public:
  explicit FutureTable(const ShardOptions& options)
      : index_(options.index), shards_(options.shards), incarnation_(options.incarnation) {}

  // --- Making and forgetting
  Future& Make(NamespaceId ns, uint16_t ns_tag, FutureKind kind, base::Instant now);
  // From here on others may see the future, and it counts.
  void Announce(Future& future);
  // It is done: it counts as pending no more.
  void CountDone() { --pending_; }
  // Its timer must not be armed, and nobody may hold a link to it.
  void Erase(Future& future);

  // --- Finding
  bool IsHere(const FutureId& id) const { return id.shard == index_; }
  // Whether an id of another shard could be one of this namespace; only that shard knows.
  bool MayBeElsewhere(const FutureId& id, uint16_t ns_tag) const {
    return id.sequence != 0 && id.ns_tag == ns_tag && (shards_ == 0 || id.shard < shards_);
  }
  FutureId IdOf(const Future& future) const;
  Future* At(uint32_t slot) { return futures_.Find(slot); }
  Future* FindExact(const FutureId& id);
  Future* Find(NamespaceId ns, const FutureId& id);  // null: WhyMissing says why
  base::Reason WhyMissing(NamespaceId ns, const FutureId& id) const;
  absl::Status RefuseMissing(NamespaceId ns, const FutureId& id) const;
  Resolved Resolve(NamespaceId ns, const FutureSet& set, bool keep_vanished);
  // For walks that notice duplicates: larger than all before.
  uint64_t NewStamp() { return ++last_stamp_; }
  uint64_t last_stamp() const { return last_stamp_; }

  // --- In order of creation
  const base::IntrusiveList<Future, &Future::created>& created() const { return created_; }
  // The first whose sequence is larger; null when there is none.
  Future* FirstAfter(uint64_t sequence) const;
  Future* Next(const Future& future) const { return created_.Next(future); }

  Groups& groups() { return groups_; }
  const Groups& groups() const { return groups_; }
  void KnowNamespace(NamespaceId ns, uint16_t ns_tag) { ns_tags_[ns] = ns_tag; }
  uint64_t last_sequence() const { return last_sequence_; }

  // --- Restoring, in order of sequence
  bool CanPlace(const FutureId& id) const { return id.slot < kSlotsMax && !futures_.Contains(id.slot); }
  // Announced, with nothing but its identity.
  Future& Place(const FutureId& id);
  void CountRestored(const Future& future);
  // `last_sequence`: issued by earlier runs for certain.
  void FinishPlacing(uint64_t last_sequence);

  void AddTo(ShardStats& stats) const;
  // Aborts unless order, index and counts agree. Calls `visit` for each future.
  template <typename F>
  void CheckInvariants(F&& visit) const {
    Check check(*this);
    for (const Future& future : created_) {
      check.Add(future);
      visit(future);
    }
    check.Finish();
  }

 private:
  // Of each block of 256 sequence numbers that has futures, the first: where a page of List starts.
  static constexpr int kBlockShift = 8;
  static constexpr uint32_t kSlotsMax = 1u << 28;

  class Check {
   public:
    explicit Check(const FutureTable& table) : table_(table) {}
    void Add(const Future& future);
    void Finish() const;

   private:
    const FutureTable& table_;
    uint64_t last_ = 0, last_block_ = ~uint64_t{0};
    size_t listed_ = 0, block_heads_ = 0;
    uint64_t announced_ = 0, pending_ = 0;
  };

  void Index(Future& future);

  const ShardIndex index_, shards_;
  const uint32_t incarnation_;
  base::Slab<Future> futures_;
  base::IntrusiveList<Future, &Future::created> created_;
  std::map<uint64_t, Future*> blocks_;
  std::map<uint64_t, Future*>::node_type spare_block_;  // one that comes and goes with each short call
  Groups groups_;
  absl::flat_hash_map<NamespaceId, uint16_t> ns_tags_;
  NamespaceId known_ns_ = 0;  // of the last that was made
  uint64_t last_sequence_ = 0;
  uint64_t restored_sequence_ = 0;  // what the earlier runs are known to have issued
  uint64_t last_stamp_ = 0;
  uint64_t announced_ = 0, pending_ = 0;
};

}  // namespace muster::core
