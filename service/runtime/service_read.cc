// The verbs that read: sets, groups, Get, List, statistics.
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

#include "fmt/format.h"

#include "service/base/reason.h"
#include "service/base/status.h"
#include "service/runtime/service_impl.h"

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

// The shard of all ids, if it is one.
std::optional<values::ShardIndex> OnlyShard(const Router& router, const std::vector<values::FutureId>& ids) {
  if (ids.empty()) return router.here().home();
  const values::ShardIndex shard = router.ShardOf(ids.front());
  for (const values::FutureId& id : ids) {
    if (router.ShardOf(id) != shard) return std::nullopt;
  }
  return shard;
}

}  // namespace

// --- Sets ------------------------------------------------------------------------------------------------------------

coro::Task<absl::StatusOr<std::vector<values::FutureId>>> Service::GroupMembers(values::NamespaceId ns,
                                                                                std::string group) {
  core::FutureSet set;
  set.group = std::move(group);
  return impl_->Resolve(ns, std::move(set));
}

coro::Task<absl::StatusOr<std::vector<values::FutureId>>> Service::Impl::Resolve(values::NamespaceId ns,
                                                                                 core::FutureSet set) {
  if (set.ids.empty() == set.group.empty()) {
    co_return admission.Refuse(base::Reason::kEmptySet,
                               set.ids.empty() ? "set: neither ids nor a group: name at least one future"
                                               : "set: both ids and a group: give one of the two",
                               "set");
  }
  std::vector<values::FutureId> ids = std::move(set.ids);
  if (!set.group.empty()) {
    MUSTER_CO_ASSIGN_OR_RETURN(ids, co_await GroupMembers(ns, std::move(set.group)));
  }
  if (ids.size() > options.limits.set_max) {
    co_return admission.Refuse(
        base::Reason::kSetTooLarge,
        fmt::format("set: {} futures, and the limit is {}: split the set", ids.size(), options.limits.set_max), "set");
  }
  co_return ids;
}

coro::Task<absl::StatusOr<std::vector<values::FutureId>>> Service::Impl::GroupMembers(values::NamespaceId ns,
                                                                                      std::string group) {
  core::ListGroup query;
  query.ns = ns;
  query.group = std::move(group);
  auto asked = Here().AskAll(query);
  std::vector<core::ListGroup::Answer> found = co_await asked;
  std::vector<values::FutureId> ids;
  for (const core::ListGroup::Answer& some : found) {
    if (!some.ok()) co_return some.status();
    ids.insert(ids.end(), some->begin(), some->end());
  }
  if (ids.empty()) {
    co_return base::Refuse(
        base::Reason::kEmptySet,
        fmt::format("set.group: \"{}\" has no futures; submit some with this group, or name ids", query.group),
        "set.group");
  }
  co_return ids;
}

// --- Futures ---------------------------------------------------------------------------------------------------------

coro::Task<absl::StatusOr<core::FutureView>> Service::Get(values::NamespaceId ns, values::FutureId id,
                                                          bool take_outcome) {
  const Router router = impl_->Here();
  core::GetFuture query;
  query.ns = ns;
  query.id = id;
  query.take_outcome = take_outcome;
  auto asked = router.Ask(router.ShardOf(id), std::move(query));
  co_return co_await asked;
}

coro::Task<std::vector<values::OutcomeRef>> Service::TakeOutcomes(values::NamespaceId ns,
                                                                  std::vector<values::FutureId>& ids,
                                                                  bool also_failed) {
  const Router router = impl_->Here();
  core::TakeOutcomes query;
  query.ns = ns;
  query.also_failed = also_failed;
  if (const std::optional<values::ShardIndex> shard = OnlyShard(router, ids)) {
    query.ids = std::move(ids);
    auto asked = router.Ask(*shard, std::move(query));
    std::vector<values::OutcomeRef> outcomes = co_await asked;
    ids = std::move(asked.TakeQuery().ids);
    co_return outcomes;
  }
  // Where each answer belongs.
  std::vector<std::vector<size_t>> places;
  std::vector<std::pair<values::ShardIndex, core::TakeOutcomes>> questions;
  std::vector<size_t> question_of(router.shards(), SIZE_MAX);
  for (size_t at = 0; at < ids.size(); ++at) {
    const values::ShardIndex shard = router.ShardOf(ids[at]);
    size_t& question = question_of[shard];
    if (question == SIZE_MAX) {
      question = questions.size();
      questions.emplace_back(shard, query);
      places.emplace_back();
    }
    questions[question].second.ids.push_back(ids[at]);
    places[question].push_back(at);
  }
  auto asked = router.AskMany(std::move(questions));
  std::vector<core::TakeOutcomes::Answer> found = co_await asked;
  std::vector<values::OutcomeRef> outcomes(ids.size());
  for (size_t question = 0; question < found.size(); ++question) {
    if (found[question].empty()) co_return std::vector<values::OutcomeRef>();
    for (size_t i = 0; i < places[question].size(); ++i) {
      outcomes[places[question][i]] = std::move(found[question][i]);
    }
  }
  co_return outcomes;
}

coro::Task<absl::StatusOr<ListAnswer>> Service::List(core::ListFutures query, std::string page_token) {
  const Router router = impl_->Here();
  PagePosition position;
  if (!page_token.empty()) {
    const std::optional<PagePosition> parsed = ParsePage(page_token);
    if (!parsed.has_value() || parsed->shard >= router.shards()) {
      co_return impl_->admission.Refuse(
          base::Reason::kInvalidPageToken,
          fmt::format("page_token \"{}\": not one that List has given; start without", page_token.substr(0, 64)),
          "page_token");
    }
    position = *parsed;
  }
  const size_t max = query.max;
  ListAnswer answer;
  while (position.shard < router.shards()) {
    query.after_sequence = position.after;
    query.max = max - answer.futures.size();
    auto asked = router.Ask(position.shard, std::move(query));
    core::ListFutures::Answer page = co_await asked;
    query = asked.TakeQuery();
    if (!page.ok()) co_return page.status();
    std::move(page->futures.begin(), page->futures.end(), std::back_inserter(answer.futures));
    if (page->next != 0) {
      position.after = page->next;
    } else {
      ++position.shard;
      position.after = 0;
    }
    if (answer.futures.size() < max) continue;
    if (position.shard < router.shards()) {
      answer.next_page_token = fmt::format("{:x}-{:x}", position.shard, position.after);
    }
    break;
  }
  co_return answer;
}

// --- All shards ------------------------------------------------------------------------------------------------------

coro::Task<Service::Stats> Service::CollectStats() {
  auto asked = impl_->Here().AskAll(core::GetStats());
  const std::vector<core::ShardStats> shards = co_await asked;
  Stats stats;
  for (const core::ShardStats& each : shards) stats.shards += each;
  stats.running = RunningJobs();
  for (const auto& host : impl_->hosts) stats.abandoned += host->dispatcher().abandoned();
  stats.namespaces = impl_->namespaces.size();
  stats.bytes = impl_->namespaces.BytesHeldByAll();
  co_return stats;
}

coro::Task<void> Service::CheckInvariants() {
  auto asked = impl_->Here().AskAll(CheckShard());
  co_await asked;
}

}  // namespace muster::runtime
