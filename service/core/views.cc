// Looking: Get, List, groups.
#include <algorithm>

#include <fmt/format.h>

#include "service/core/detail/shard_impl.h"

namespace muster::core {
namespace {

// One call of List looks at so many futures at most, whatever it finds.
constexpr size_t kListScanMax = 20'000;

}  // namespace

FutureView Shard::Impl::ViewOf(const Future& future, bool with_members) const {
  FutureView view;
  view.id = IdOf(future);
  view.kind = future.kind;
  view.function = future.function;
  view.state = future.state;
  view.cancelling = future.cancelling;
  view.attempt = future.attempt;
  view.create_time = future.create_time;
  view.start_time = future.start_time;
  view.end_time = future.end_time;
  view.expire_time = future.done() ? base::Later(future.end_time, future.retention) : base::kNever;
  view.outcome = future.outcome;
  if (const Options* options = future.options()) {
    view.options = future.cold->options;
    view.name = options->name;
  }
  // semantics 14. As in asyncio, only what runs a body has a name of itself. Shards count by turns, so that no two jobs
  // of a server have the same.
  if (view.name.empty() && future.kind == FutureKind::kJob) {
    const uint64_t shards = std::max<uint64_t>(options_.shards, 1);
    view.name = fmt::format("Task-{}", (future.sequence - 1) * shards + options_.index + 1);
  }
  if (!future.cold) return view;
  view.progress_fraction = future.cold->progress_fraction;
  view.progress_message = future.cold->progress_message;
  view.progress_time = future.cold->progress_time;
  if (!future.cold->combinator || !with_members) return view;
  const Combinator& combinator = *future.cold->combinator;
  if (combinator.positions.empty()) {
    for (uint32_t at = 0; at < combinator.count; ++at) view.members.push_back(combinator.members[at].id);
  }
  for (uint32_t position : combinator.positions) view.members.push_back(combinator.members[position].id);
  return view;
}

absl::StatusOr<FutureView> Shard::Impl::Get(NamespaceId ns, const FutureId& id, bool take_outcome) {
  Future* future = Find(ns, id);
  if (future == nullptr && !CheckReadable().ok()) return frozen_refusal_;  // it may be there again after the restart
  if (future == nullptr) return RefuseMissing({{id, static_cast<int>(WhyMissing(ns, id))}}, 1);
  if (frozen() && Unsaved(*future)) return frozen_refusal_;
  if (take_outcome && future->done()) future->retrieved = true;
  return ViewOf(*future, /*with_members=*/true);
}

OutcomeRef Shard::Impl::TakeOutcome(NamespaceId ns, const FutureId& id, bool also_failed) {
  Future* future = Find(ns, id);
  if (future == nullptr || !future->done() || (frozen() && Unsaved(*future))) return nullptr;
  if (!also_failed && future->state != State::kSucceeded) return nullptr;
  future->retrieved = true;
  return future->outcome;
}

bool Shard::Impl::Matches(const Future& future, const ListFutures& query) {
  if (!future.visible() || future.ns != query.ns) return false;
  if (query.state_mask != 0 && (query.state_mask >> static_cast<int>(future.state) & 1) == 0) return false;
  if (query.function && (future.kind != FutureKind::kJob || future.function != *query.function)) return false;
  const Options* options = future.options();
  if (!query.group.empty() && (options == nullptr || options->group != query.group)) return false;
  for (const auto& [key, value] : query.labels) {
    if (options == nullptr) return false;
    const auto label = options->labels.find(key);
    if (label == options->labels.end() || label->second != value) return false;
  }
  return true;
}

std::vector<FutureView> Shard::Impl::List(const ListFutures& query, uint64_t* next) const {
  std::vector<FutureView> page;
  uint64_t following = 0;  // `next` may point into the query
  const auto block = blocks_.lower_bound((query.after_sequence + 1) >> kBlockShift);
  Future* future = block == blocks_.end() ? nullptr : block->second;
  while (future != nullptr && future->sequence <= query.after_sequence) future = created_.Next(*future);
  uint64_t last = query.after_sequence;
  for (size_t seen = 0; future != nullptr; future = created_.Next(*future), ++seen) {
    if (page.size() >= query.max || seen >= kListScanMax) {
      following = last;
      break;
    }
    last = future->sequence;
    if (Matches(*future, query)) page.push_back(ViewOf(*future, /*with_members=*/false));
  }
  if (next != nullptr) *next = following;
  return page;
}

std::vector<FutureId> Shard::Impl::GroupMembers(NamespaceId ns, const std::string& name) const {
  std::vector<FutureId> ids;
  const Group* group = groups_.Find(ns, name);
  if (group == nullptr) return ids;
  for (const GroupMember& member : group->members) ids.push_back(IdOf(*member.future));
  return ids;
}

ShardStats Shard::Impl::Stats() const {
  ShardStats stats;
  stats.futures = announced_;
  stats.pending = pending_;
  stats.waits = waits_;
  stats.streams = streams_;
  stats.calls = calls_;
  stats.links = links_;
  stats.pins = pins_;
  stats.request_ids = request_ids_.size();
  stats.groups = groups_.size();
  stats.timers = timers_.size();
  return stats;
}

}  // namespace muster::core
