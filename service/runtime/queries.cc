// The verbs that ask each shard once: groups, Get, List, Cancel, Delete, SetResult, statistics.

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <utility>

#include "fmt/format.h"

#include "service/base/reason.h"
#include "service/base/status.h"
#include "service/runtime/answer.h"
#include "service/runtime/service_impl.h"
#include "service/runtime/submission.h"
#include "service/runtime/wait.h"

namespace muster::runtime {
namespace {

// A page token: "SHARD-SEQUENCE" in hex, where to go on.
struct PagePosition {
  values::ShardIndex shard = 0;
  uint64_t after = 0;
};

std::optional<PagePosition> ParsePage(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  PagePosition position;
  const char* const end = text.data() + text.size();
  const auto shard = std::from_chars(text.data(), text.data() + dash, position.shard, 16);
  const auto after = std::from_chars(text.data() + dash + 1, end, position.after, 16);
  if (shard.ec != std::errc() || shard.ptr != text.data() + dash) return std::nullopt;
  if (after.ec != std::errc() || after.ptr != end) return std::nullopt;
  return position;
}

struct Page {
  absl::Status refusal;
  std::vector<core::FutureView> views;
  uint64_t next = 0;
};

struct Members {
  absl::Status refusal;
  std::vector<values::FutureId> ids;
};

}  // namespace

coro::Task<absl::StatusOr<std::vector<values::FutureId>>> Service::GroupMembers(values::NamespaceId ns,
                                                                                std::string group) {
  core::FutureSet set;
  set.group = std::move(group);
  return impl_->Resolve(ns, std::move(set));
}

coro::Task<absl::StatusOr<std::vector<values::FutureId>>> Service::Impl::Resolve(values::NamespaceId ns,
                                                                                 core::FutureSet set) {
  if (set.ids.empty() == set.group.empty()) {
    co_return Refused(base::Reason::kEmptySet,
                      set.ids.empty() ? "set: neither ids nor a group: name at least one future"
                                      : "set: both ids and a group: give one of the two",
                      "set");
  }
  std::vector<values::FutureId> ids = std::move(set.ids);
  if (!set.group.empty()) {
    ShardRunner& here = Here();
    for (auto& runner : shared.runners) {
      const std::string& group = set.group;
      const auto collect = [ns, &group](ShardRunner& owner) {
        Members found;
        owner.ForEachShard([&](values::ShardIndex, core::Shard& shard) {
          if (found.refusal.ok()) found.refusal = shard.CheckReadable();
          const std::vector<values::FutureId> some = shard.GroupMembers(ns, group);
          found.ids.insert(found.ids.end(), some.begin(), some.end());
        });
        return found;
      };
      CallOn call(here, *runner, collect);
      const Members found = co_await call;
      if (!found.refusal.ok()) co_return found.refusal;
      ids.insert(ids.end(), found.ids.begin(), found.ids.end());
    }
    if (ids.empty()) {
      co_return base::Refuse(
          base::Reason::kEmptySet,
          fmt::format("set.group: \"{}\" has no futures; submit some with this group, or name ids", set.group),
          "set.group");
    }
  }
  if (ids.size() > shared.options.limits.set_max) {
    co_return Refused(
        base::Reason::kSetTooLarge,
        fmt::format("set: {} futures, and the limit is {}: split the set", ids.size(), shared.options.limits.set_max),
        "set");
  }
  co_return ids;
}

coro::Task<absl::StatusOr<core::FutureView>> Service::Get(values::NamespaceId ns, values::FutureId id,
                                                          bool take_outcome) {
  ShardRunner& here = impl_->Here();
  const values::ShardIndex shard = TargetShard(impl_->shared, id);
  const auto get = [ns, id, take_outcome, shard](ShardRunner& owner) {
    return owner.ShardAt(shard).Get(ns, id, take_outcome);
  };
  CallOn call(here, impl_->shared.OwnerOf(shard), get);
  co_return co_await call;
}

// Each loop walks the ids for those of its shards: to sort them first would cost more.
coro::Task<std::vector<values::OutcomeRef>> Service::TakeOutcomes(values::NamespaceId ns,
                                                                  const std::vector<values::FutureId>& ids,
                                                                  bool also_failed) {
  ShardRunner& here = impl_->Here();
  Shared& shared = impl_->shared;
  std::vector<values::OutcomeRef> outcomes(ids.size());
  for (auto& runner : shared.runners) {
    const auto take = [&shared, &ids, &outcomes, ns, also_failed](ShardRunner& owner) {
      for (size_t at = 0; at < ids.size(); ++at) {
        const values::ShardIndex shard = TargetShard(shared, ids[at]);
        if (&shared.OwnerOf(shard) != &owner) continue;
        outcomes[at] = owner.ShardAt(shard).TakeOutcome(ns, ids[at], also_failed);
        if (outcomes[at] == nullptr) return false;
      }
      return true;
    };
    CallOn call(here, *runner, take);
    const bool all = co_await call;
    if (!all) co_return std::vector<values::OutcomeRef>();
  }
  co_return outcomes;
}

coro::Task<absl::StatusOr<ListAnswer>> Service::List(core::ListFutures query, std::string page_token) {
  ShardRunner& here = impl_->Here();
  PagePosition position;
  if (!page_token.empty()) {
    const std::optional<PagePosition> parsed = ParsePage(page_token);
    if (!parsed.has_value() || parsed->shard >= impl_->shared.options.shards) {
      co_return impl_->Refused(
          base::Reason::kInvalidPageToken,
          fmt::format("page_token \"{}\": not one that List has given; start without", page_token.substr(0, 64)),
          "page_token");
    }
    position = *parsed;
  }
  const size_t max = query.max;
  ListAnswer answer;
  while (position.shard < impl_->shared.options.shards) {
    query.after_sequence = position.after;
    query.max = max - answer.futures.size();
    const values::ShardIndex shard = position.shard;
    const core::ListFutures& asked = query;
    const auto list = [&asked, shard](ShardRunner& owner) {
      Page page;
      page.refusal = owner.ShardAt(shard).CheckReadable();
      if (!page.refusal.ok()) return page;
      page.views = owner.ShardAt(shard).List(asked, &page.next);
      return page;
    };
    CallOn call(here, impl_->shared.OwnerOf(shard), list);
    Page page = co_await call;
    if (!page.refusal.ok()) co_return page.refusal;
    std::move(page.views.begin(), page.views.end(), std::back_inserter(answer.futures));
    if (page.next != 0) {
      position.after = page.next;
    } else {
      ++position.shard;
      position.after = 0;
    }
    if (answer.futures.size() < max) continue;
    if (position.shard < impl_->shared.options.shards) {
      answer.next_page_token = fmt::format("{:x}-{:x}", position.shard, position.after);
    }
    break;
  }
  co_return answer;
}

coro::Task<absl::StatusOr<std::vector<std::pair<values::FutureId, core::CancelEffect>>>> Service::Cancel(
    values::NamespaceId ns, core::FutureSet set, std::string message) {
  ShardRunner& here = impl_->Here();
  absl::StatusOr<std::vector<values::FutureId>> ids = co_await impl_->Resolve(ns, std::move(set));
  if (!ids.ok()) co_return ids.status();
  std::map<values::FutureId, core::CancelEffect> effects;
  ByShard by_shard = SplitByShard(impl_->shared, *ids);
  for (auto& [shard, members] : by_shard) {
    // A duplicate is asked to end once: a set is a set.
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
    Answer<core::CancelAnswered> answer(here);
    core::Cancel command;
    command.token = answer.request();
    command.ns = ns;
    command.set.ids = members;
    command.message = message;
    here.Send(shard, std::move(command));
    co_await answer;
    if (!answer.effect().refusal.ok()) co_return answer.effect().refusal;
    effects.insert(answer.effect().effects.begin(), answer.effect().effects.end());
  }
  std::vector<std::pair<values::FutureId, core::CancelEffect>> in_order;
  in_order.reserve(ids->size());
  for (const values::FutureId& id : *ids) {
    if (const auto found = effects.find(id); found != effects.end()) in_order.emplace_back(id, found->second);
  }
  co_return in_order;
}

coro::Task<absl::StatusOr<std::vector<std::pair<values::FutureId, absl::Status>>>> Service::Delete(
    values::NamespaceId ns, core::FutureSet set) {
  ShardRunner& here = impl_->Here();
  absl::StatusOr<std::vector<values::FutureId>> ids = co_await impl_->Resolve(ns, std::move(set));
  if (!ids.ok()) co_return ids.status();
  std::vector<std::pair<values::FutureId, absl::Status>> results;
  const ByShard by_shard = SplitByShard(impl_->shared, *ids);
  for (const auto& part : by_shard) {
    const values::ShardIndex shard = part.first;
    const std::vector<values::FutureId>& members = part.second;
    const auto erase = [ns, shard, &members](ShardRunner& owner) {
      std::vector<absl::Status> statuses;
      statuses.reserve(members.size());
      for (const values::FutureId& id : members) statuses.push_back(owner.Delete(shard, ns, id));
      return statuses;
    };
    CallOn call(here, impl_->shared.OwnerOf(shard), erase);
    std::vector<absl::Status> statuses = co_await call;
    for (size_t i = 0; i < members.size(); ++i) results.emplace_back(members[i], std::move(statuses[i]));
  }
  co_return results;
}

coro::Task<absl::StatusOr<values::State>> Service::SettlePromise(core::SettlePromise command) {
  ShardRunner& here = impl_->Here();
  Answer<core::PromiseSettled> answer(here);
  command.token = answer.request();
  const values::ShardIndex shard = TargetShard(impl_->shared, command.id);
  here.Send(shard, std::move(command));
  co_await answer;
  if (!answer.effect().refusal.ok()) co_return answer.effect().refusal;
  co_return answer.effect().state;
}

coro::Task<Service::Stats> Service::CollectStats() {
  ShardRunner& here = impl_->Here();
  Shared& shared = impl_->shared;
  Stats stats;
  for (auto& runner : shared.runners) {
    const auto sum = [](ShardRunner& owner) {
      core::ShardStats all;
      owner.ForEachShard([&all](values::ShardIndex, core::Shard& shard) { all += shard.Stats(); });
      return all;
    };
    CallOn call(here, *runner, sum);
    stats.shards += co_await call;
  }
  stats.running = RunningJobs();
  for (auto& runner : shared.runners) stats.abandoned += runner->dispatcher().abandoned();
  stats.namespaces = shared.namespaces.size();
  stats.bytes = shared.namespaces.BytesHeldByAll();
  co_return stats;
}

coro::Task<void> Service::CheckInvariants() {
  ShardRunner& here = impl_->Here();
  for (auto& runner : impl_->shared.runners) {
    const auto check = [](ShardRunner& owner) {
      owner.ForEachShard([](values::ShardIndex, core::Shard& shard) { shard.CheckInvariants(); });
      return true;
    };
    CallOn call(here, *runner, check);
    co_await call;
  }
}

}  // namespace muster::runtime
