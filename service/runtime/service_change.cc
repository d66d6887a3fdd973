// The verbs that change futures that are there: Cancel, Delete.
#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "service/runtime/calls/by_shard.h"
#include "service/runtime/service_impl.h"

namespace muster::runtime {

coro::Task<absl::StatusOr<std::vector<std::pair<values::FutureId, core::CancelEffect>>>> Service::Cancel(
    values::NamespaceId ns, core::FutureSet set, std::string message) {
  const Router router = impl_->Here();
  absl::StatusOr<std::vector<values::FutureId>> ids = co_await impl_->Resolve(ns, std::move(set));
  if (!ids.ok()) co_return ids.status();
  std::deque<CommandAsked<core::Cancel>> asked;
  for (auto& [shard, members] : SplitByShard(router, *ids)) {
    // A duplicate is asked to end once: a set is a set.
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
    core::Cancel command;
    command.ns = ns;
    command.set.ids = std::move(members);
    command.message = message;
    asked.emplace_back(router, shard, std::move(command));
  }
  std::map<values::FutureId, core::CancelEffect> effects;
  for (auto& each : asked) {
    const core::CancelAnswered& answer = co_await each;
    if (!answer.refusal.ok()) co_return answer.refusal;
    effects.insert(answer.effects.begin(), answer.effects.end());
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
  const Router router = impl_->Here();
  absl::StatusOr<std::vector<values::FutureId>> ids = co_await impl_->Resolve(ns, std::move(set));
  if (!ids.ok()) co_return ids.status();
  const ByShard by_shard = SplitByShard(router, *ids);
  std::deque<CommandAsked<core::Delete>> asked;
  for (const auto& [shard, members] : by_shard) {
    core::Delete command;
    command.ns = ns;
    command.ids = members;
    asked.emplace_back(router, shard, std::move(command));
  }
  std::vector<std::pair<values::FutureId, absl::Status>> results;
  results.reserve(ids->size());
  auto part = by_shard.begin();
  for (auto& each : asked) {
    const core::Deleted& deleted = co_await each;
    const std::vector<values::FutureId>& members = part->second;
    for (size_t at = 0; at < members.size(); ++at) {
      results.emplace_back(members[at], deleted.refusal.ok() ? deleted.statuses[at] : deleted.refusal);
    }
    ++part;
  }
  co_return results;
}

}  // namespace muster::runtime
