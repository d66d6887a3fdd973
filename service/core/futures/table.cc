#include "service/core/futures/table.h"

#include <algorithm>

#include "service/base/check.h"

namespace muster::core {

// --- Making and forgetting ------------------------------------------------------------------------------------------

Future& FutureTable::Make(NamespaceId ns, uint16_t ns_tag, FutureKind kind, base::Instant now) {
  const uint32_t slot = futures_.Emplace();
  Future& future = futures_[slot];
  future.slot = slot;
  future.incarnation = incarnation_;
  future.sequence = ++last_sequence_;
  future.ns = ns;
  future.ns_tag = ns_tag;
  future.kind = kind;
  future.create_time = now;
  if (ns != known_ns_) KnowNamespace(known_ns_ = ns, ns_tag);
  Index(future);
  return future;
}

// The youngest of all: to the end of the order of creation.
void FutureTable::Index(Future& future) {
  created_.PushBack(future);
  const uint64_t block = future.sequence >> kBlockShift;
  if (!blocks_.empty() && blocks_.rbegin()->first >= block) return;
  if (spare_block_.empty()) {
    blocks_.emplace_hint(blocks_.end(), block, &future);
  } else {
    spare_block_.key() = block;
    spare_block_.mapped() = &future;
    blocks_.insert(blocks_.end(), std::move(spare_block_));
  }
  future.block_head = true;
}

void FutureTable::Announce(Future& future) {
  future.announced = true;
  ++announced_;
  ++pending_;
  const Options* options = future.options.get();
  if (options != nullptr && !options->group.empty()) groups_.Join(future.ns, options->group, ColdOf(future).group);
}

void FutureTable::Erase(Future& future) {
  if (future.announced) --announced_;
  if (future.cold) groups_.Leave(future.cold->group);
  if (future.block_head) {
    const auto block = blocks_.find(future.sequence >> kBlockShift);
    Future* next = created_.Next(future);
    if (next != nullptr && next->sequence >> kBlockShift == block->first) {
      block->second = next;
      next->block_head = true;
    } else {
      spare_block_ = blocks_.extract(block);
    }
  }
  future.created.Unlink();
  futures_.Erase(future.slot);
}

// --- Finding --------------------------------------------------------------------------------------------------------

FutureId FutureTable::IdOf(const Future& future) const {
  FutureId id;
  id.sequence = future.sequence;
  id.incarnation = future.incarnation;
  id.slot = future.slot;
  id.shard = index_;
  id.ns_tag = future.ns_tag;
  return id;
}

Future* FutureTable::FindExact(const FutureId& id) {
  if (id.shard != index_) return nullptr;
  Future* future = futures_.Find(id.slot);
  const bool found = future != nullptr && future->sequence == id.sequence && future->incarnation == id.incarnation &&
                     future->ns_tag == id.ns_tag;
  return found ? future : nullptr;
}

Future* FutureTable::Find(NamespaceId ns, const FutureId& id) {
  Future* future = FindExact(id);
  return future != nullptr && future->ns == ns && future->visible() ? future : nullptr;
}

base::Reason FutureTable::WhyMissing(NamespaceId ns, const FutureId& id) const {
  if (id.shard != index_ || id.sequence == 0) return base::Reason::kFutureNotFound;
  const auto tag = ns_tags_.find(ns);
  if (tag != ns_tags_.end() && tag->second != id.ns_tag) return base::Reason::kFutureNotFound;
  if (id.incarnation > incarnation_) return base::Reason::kFutureNotFound;
  // Two namespaces may share a tag: a live future of the other one must look as if it had never been.
  const Future* there = futures_.Find(id.slot);
  const bool same = there != nullptr && there->sequence == id.sequence && there->incarnation == id.incarnation;
  if (same && (there->ns != ns || !there->announced)) return base::Reason::kFutureNotFound;
  if (id.incarnation < incarnation_) {
    // Of an earlier run: what was recorded and is no longer here has expired; what never was is lost with that run.
    return id.sequence <= restored_sequence_ ? base::Reason::kFutureExpired : base::Reason::kFutureLost;
  }
  const bool issued = tag != ns_tags_.end() && id.sequence <= last_sequence_;
  return issued ? base::Reason::kFutureExpired : base::Reason::kFutureNotFound;
}

absl::Status FutureTable::RefuseMissing(NamespaceId ns, const FutureId& id) const {
  Missing missing;
  missing.Add(id, WhyMissing(ns, id));
  return missing.Refusal();
}

Resolved FutureTable::Resolve(NamespaceId ns, const FutureSet& set, bool keep_vanished) {
  Resolved resolved;
  if (!set.group.empty()) {
    const Group* group = groups_.Find(ns, set.group);
    if (group == nullptr) return resolved;
    for (GroupMember& member : group->members) resolved.members.push_back(member.future);
    return resolved;
  }
  Missing missing;
  const uint64_t stamp = NewStamp();
  resolved.members.reserve(set.ids.size());
  for (const FutureId& id : set.ids) {
    Future* member = Find(ns, id);
    if (member != nullptr) {
      if (member->stamp == stamp) continue;  // semantics 26: duplicates collapse
      member->stamp = stamp;
      resolved.members.push_back(member);
      continue;
    }
    const base::Reason why = WhyMissing(ns, id);
    if (keep_vanished && why != base::Reason::kFutureNotFound) {
      resolved.vanished.push_back(id);
      continue;
    }
    missing.Add(id, why);
  }
  if (!missing.empty()) resolved.refusal = missing.Refusal();
  std::sort(resolved.vanished.begin(), resolved.vanished.end());
  resolved.vanished.erase(std::unique(resolved.vanished.begin(), resolved.vanished.end()), resolved.vanished.end());
  return resolved;
}

Future* FutureTable::FirstAfter(uint64_t sequence) const {
  const auto block = blocks_.lower_bound((sequence + 1) >> kBlockShift);
  Future* future = block == blocks_.end() ? nullptr : block->second;
  while (future != nullptr && future->sequence <= sequence) future = created_.Next(*future);
  return future;
}

// --- Restoring ------------------------------------------------------------------------------------------------------

Future& FutureTable::Place(const FutureId& id) {
  Future& future = futures_.PlaceAt(id.slot);
  future.slot = id.slot;
  future.incarnation = id.incarnation;
  future.sequence = last_sequence_ = id.sequence;
  future.ns_tag = id.ns_tag;
  future.announced = true;
  Index(future);
  return future;
}

void FutureTable::CountRestored(const Future& future) {
  ++announced_;
  if (!future.done()) ++pending_;
}

void FutureTable::FinishPlacing(uint64_t last_sequence) {
  futures_.FinishPlacing();
  last_sequence_ = std::max(last_sequence_, last_sequence);
  restored_sequence_ = last_sequence_;
}

// --- Counting and checking ------------------------------------------------------------------------------------------

void FutureTable::AddTo(ShardStats& stats) const {
  stats.futures += announced_;
  stats.pending += pending_;
  stats.groups += groups_.size();
}

void FutureTable::Check::Add(const Future& future) {
  MUSTER_CHECK_LT(last_, future.sequence) << "not in order of creation";
  last_ = future.sequence;
  ++listed_;
  announced_ += future.announced;
  pending_ += future.announced && !future.done();
  const uint64_t block = future.sequence >> kBlockShift;
  MUSTER_CHECK_EQ(future.block_head, block != last_block_) << "the index of creation is wrong";
  last_block_ = block;
  if (!future.block_head) return;
  const auto indexed = table_.blocks_.find(block);
  MUSTER_CHECK(indexed != table_.blocks_.end() && indexed->second == &future)
      << "the index of creation leads elsewhere";
  ++block_heads_;
}

void FutureTable::Check::Finish() const {
  MUSTER_CHECK_EQ(block_heads_, table_.blocks_.size()) << "the index of creation has more than there is";
  MUSTER_CHECK_EQ(listed_, table_.futures_.size());
  MUSTER_CHECK_EQ(announced_, table_.announced_);
  MUSTER_CHECK_EQ(pending_, table_.pending_);
}

}  // namespace muster::core
