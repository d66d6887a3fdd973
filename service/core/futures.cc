// Records: how a future is made, found, linked to and freed.
#include <algorithm>

#include <fmt/format.h>

#include "service/base/check.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {
namespace {

std::string_view WhyText(base::Reason reason) {
  if (reason == base::Reason::kFutureExpired) return "expired";
  if (reason == base::Reason::kFutureLost) return "lost in a restart";
  return "not found";
}

}  // namespace

int64_t Shard::Impl::SizeOfOptions(const Options& options) { return static_cast<int64_t>(values::ByteSize(options)); }

Future& Shard::Impl::NewFuture(core::Submit& command, FutureKind kind) {
  const uint32_t slot = futures_.Emplace();
  Future& future = futures_[slot];
  future.slot = slot;
  future.incarnation = options_.incarnation;
  future.sequence = ++last_sequence_;
  future.ns = command.ns;
  future.ns_tag = command.ns_tag;
  future.kind = kind;
  future.create_time = now_;
  future.retention = command.retention;
  future.drop_when_delivered = command.attach && command.drop_when_delivered;
  if (command.ns != known_ns_) KnowNamespace(known_ns_ = command.ns, command.ns_tag);
  IndexCreated(future);
  if (command.options) {
    future.bytes += SizeOfOptions(*command.options);
    ColdOf(future).options = std::shared_ptr<const Options>(std::move(command.options));
    const Options& options = *future.cold->options;
    if (!options.request_id.empty()) {
      RequestEntry& entry = request_ids_.Add(command.ns, std::string(options.request_id));
      entry.future = &future;
      entry.id = IdOf(future);
      entry.spec_hash = command.spec_hash;
      entry.window = std::max(options_.request_id_window, options.request_id_ttl);
      future.cold->requests.PushBack(entry);
    }
  }
  return future;
}

// The youngest of all: to the end of the order of creation.
void Shard::Impl::IndexCreated(Future& future) {
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

Cold& Shard::Impl::ColdOf(Future& future) {
  if (!future.cold) {
    future.cold = std::make_unique<Cold>();
    future.cold->group.future = &future;
  }
  return *future.cold;
}

FutureId Shard::Impl::IdOf(const Future& future) const {
  FutureId id;
  id.sequence = future.sequence;
  id.incarnation = future.incarnation;
  id.slot = future.slot;
  id.shard = options_.index;
  id.ns_tag = future.ns_tag;
  return id;
}

Future* Shard::Impl::FindExact(const FutureId& id) {
  if (id.shard != options_.index) return nullptr;
  Future* future = futures_.Find(id.slot);
  const bool found = future != nullptr && future->sequence == id.sequence && future->incarnation == id.incarnation &&
                     future->ns_tag == id.ns_tag;
  return found ? future : nullptr;
}

Future* Shard::Impl::Find(NamespaceId ns, const FutureId& id) {
  Future* future = FindExact(id);
  return future != nullptr && future->ns == ns && future->visible() ? future : nullptr;
}

base::Reason Shard::Impl::WhyMissing(NamespaceId ns, const FutureId& id) const {
  if (id.shard != options_.index || id.sequence == 0) return base::Reason::kFutureNotFound;
  const auto tag = ns_tags_.find(ns);
  if (tag != ns_tags_.end() && tag->second != id.ns_tag) return base::Reason::kFutureNotFound;
  if (id.incarnation > options_.incarnation) return base::Reason::kFutureNotFound;
  // Two namespaces may share a tag: a live future of the other one must look as if it had never been.
  const Future* there = futures_.Find(id.slot);
  const bool same = there != nullptr && there->sequence == id.sequence && there->incarnation == id.incarnation;
  if (same && (there->ns != ns || !there->announced)) return base::Reason::kFutureNotFound;
  if (id.incarnation < options_.incarnation) {
    // Of an earlier run: what was recorded and is no longer here has expired; what never was is lost with that run.
    return id.sequence <= restored_sequence_ ? base::Reason::kFutureExpired : base::Reason::kFutureLost;
  }
  const bool issued = tag != ns_tags_.end() && id.sequence <= last_sequence_;
  return issued ? base::Reason::kFutureExpired : base::Reason::kFutureNotFound;
}

absl::Status Shard::Impl::RefuseMissing(const std::vector<std::pair<FutureId, int>>& first, size_t count) {
  MUSTER_CHECK(!first.empty());
  std::string named;
  for (const auto& [id, reason] : first) {
    fmt::format_to(std::back_inserter(named), "{}{} ({})", named.empty() ? "" : ", ", id.ToText(),
                   WhyText(static_cast<base::Reason>(reason)));
  }
  const std::string text =
      count == 1 ? fmt::format("no such future in this namespace: {}", named)
                 : fmt::format("{} futures are not in this namespace: {}{}", count, named,
                               count > first.size() ? fmt::format(" and {} more", count - first.size()) : "");
  return base::Refuse(static_cast<base::Reason>(first.front().second), text);
}

Shard::Impl::Resolved Shard::Impl::Resolve(NamespaceId ns, const FutureSet& set, bool keep_vanished) {
  Resolved resolved;
  if (!set.group.empty()) {
    const Group* group = groups_.Find(ns, set.group);
    if (group == nullptr) return resolved;
    for (GroupMember& member : group->members) resolved.members.push_back(member.future);
    return resolved;
  }
  std::vector<std::pair<FutureId, int>> missing;
  size_t missing_count = 0;
  const uint64_t stamp = ++last_stamp_;
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
    if (missing.size() < kMissingNamed) missing.emplace_back(id, static_cast<int>(why));
    ++missing_count;
  }
  if (missing_count > 0) resolved.refusal = RefuseMissing(missing, missing_count);
  std::sort(resolved.vanished.begin(), resolved.vanished.end());
  resolved.vanished.erase(std::unique(resolved.vanished.begin(), resolved.vanished.end()), resolved.vanished.end());
  return resolved;
}

void Shard::Impl::Connect(Link& link, Future& member) {
  MUSTER_CHECK(link.member == nullptr);
  link.member = &member;
  ++member.pins;
  ++pins_;
  ++links_;
  if (!member.done()) member.links.PushBack(link);
}

void Shard::Impl::Release(Link& link) {
  if (link.member == nullptr) return;
  Future& member = *link.member;
  link.hook.Unlink();
  link.member = nullptr;
  --links_;
  --pins_;
  MUSTER_CHECK_GT(member.pins, 0u);
  if (--member.pins == 0 && member.expired) Doom(member);
}

void Shard::Impl::Arm(Future& future, base::Instant when) {
  timers_.Remove(future.timer);
  if (when != base::kNever) timers_.Add(future.timer, when);
}

void Shard::Impl::Open(Token token, Opened::Kind kind, void* what) {
  if (token == kNoToken) return;
  const bool fresh = open_.emplace(token, Opened{kind, what}).second;
  MUSTER_CHECK(fresh) << "token " << token << " is open already";
}

void Shard::Impl::EraseFuture(Future& future) {
  timers_.Remove(future.timer);
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

}  // namespace muster::core
