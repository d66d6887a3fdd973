#include "service/core/futures/views.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/core/turn.h"

namespace muster::core {
namespace {

// One call of List looks at so many futures at most, whatever it finds.
constexpr size_t kListScanMax = 20'000;

void AddMembers(const Combinator& combinator, std::vector<FutureId>& members) {
  if (combinator.positions.empty()) {
    for (uint32_t at = 0; at < combinator.count; ++at) members.push_back(combinator.members[at].id);
  }
  for (const uint32_t position : combinator.positions) members.push_back(combinator.members[position].id);
}

FutureView ViewOf(const Turn& turn, const Future& future, bool with_members) {
  FutureView view;
  view.id = turn.futures.IdOf(future);
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
  if (future.options != nullptr) {
    view.options = future.options;
    view.name = future.options->name;
  }
  // semantics 14. As in asyncio, only what runs a body has a name of itself. Shards count by turns, so that no two jobs
  // of a server have the same.
  if (view.name.empty() && future.kind == FutureKind::kJob) {
    const uint64_t shards = std::max<uint64_t>(turn.options.shards, 1);
    view.name = fmt::format("Task-{}", (future.sequence - 1) * shards + turn.options.index + 1);
  }
  if (!future.cold) return view;
  if (const Progress* progress = future.cold->progress.get()) {
    view.progress_fraction = progress->fraction;
    view.progress_message = progress->message;
    view.progress_time = progress->time;
  }
  if (future.cold->combinator && with_members) AddMembers(*future.cold->combinator, view.members);
  return view;
}

bool Matches(const Future& future, const ListFutures& query) {
  if (!future.visible() || future.ns != query.ns) return false;
  if (query.state_mask != 0 && (query.state_mask >> static_cast<int>(future.state) & 1) == 0) return false;
  if (query.function && (future.kind != FutureKind::kJob || future.function != *query.function)) return false;
  const Options* options = future.options.get();
  if (!query.group.empty() && (options == nullptr || options->group != query.group)) return false;
  for (const auto& [key, value] : query.labels) {
    if (options == nullptr) return false;
    const auto label = options->labels.find(key);
    if (label == options->labels.end() || label->second != value) return false;
  }
  return true;
}

}  // namespace

GetFuture::Answer Look(Turn& turn, const GetFuture& query) {
  Future* future = turn.futures.Find(query.ns, query.id);
  if (future == nullptr) {
    // It may be there again after the restart.
    if (absl::Status readable = CheckReadable(turn); !readable.ok()) return readable;
    return turn.futures.RefuseMissing(query.ns, query.id);
  }
  if (turn.frozen.Hides(*future)) return turn.frozen.refusal();
  if (query.take_outcome && future->done()) future->retrieved = true;
  return ViewOf(turn, *future, /*with_members=*/true);
}

TakeOutcomes::Answer Look(Turn& turn, const TakeOutcomes& query) {
  std::vector<OutcomeRef> outcomes;
  outcomes.reserve(query.ids.size());
  for (const FutureId& id : query.ids) {
    Future* future = turn.futures.Find(query.ns, id);
    if (future == nullptr || !future->done() || turn.frozen.Hides(*future)) return {};
    if (!query.also_failed && future->state != State::kSucceeded) return {};
    future->retrieved = true;
    outcomes.push_back(future->outcome);
  }
  return outcomes;
}

ListFutures::Answer Look(Turn& turn, const ListFutures& query) {
  if (absl::Status readable = CheckReadable(turn); !readable.ok()) return readable;
  FuturePage page;
  uint64_t last = query.after_sequence;
  size_t seen = 0;
  for (const Future* future = turn.futures.FirstAfter(query.after_sequence); future != nullptr;
       future = turn.futures.Next(*future), ++seen) {
    if (page.futures.size() >= query.max || seen >= kListScanMax) {
      page.next = last;
      break;
    }
    last = future->sequence;
    if (Matches(*future, query)) page.futures.push_back(ViewOf(turn, *future, /*with_members=*/false));
  }
  return page;
}

ListGroup::Answer Look(Turn& turn, const ListGroup& query) {
  if (absl::Status readable = CheckReadable(turn); !readable.ok()) return readable;
  std::vector<FutureId> ids;
  const Group* group = turn.futures.groups().Find(query.ns, query.group);
  if (group == nullptr) return ids;
  for (const GroupMember& member : group->members) ids.push_back(turn.futures.IdOf(*member.future));
  return ids;
}

GetProgress::Answer Look(Turn& turn, const GetProgress& query) {
  std::vector<FutureView> found;
  for (const FutureId& id : query.ids) {
    if (found.size() >= query.max) break;
    const Future* future = turn.futures.Find(query.ns, id);
    const bool reported = future != nullptr && future->state == State::kRunning && future->cold &&
                          future->cold->progress != nullptr && !turn.frozen.Hides(*future);
    if (reported) found.push_back(ViewOf(turn, *future, /*with_members=*/false));
  }
  return found;
}

GetStats::Answer Look(const Turn& turn, const GetStats&) {
  ShardStats stats;
  turn.futures.AddTo(stats);
  turn.interest.links.AddTo(stats);
  turn.interest.open.AddTo(stats);
  stats.request_ids = turn.requests.size();
  stats.timers = turn.timers.size();
  return stats;
}

}  // namespace muster::core
