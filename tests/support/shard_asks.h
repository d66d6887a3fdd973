// Asking a shard, in the short words that tests like.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"

#include "service/core/shard.h"

namespace muster::test {

inline core::GetFuture::Answer Get(core::Shard& shard, values::NamespaceId ns, const values::FutureId& id,
                                   bool take_outcome) {
  core::GetFuture query;
  query.ns = ns;
  query.id = id;
  query.take_outcome = take_outcome;
  return shard.Ask(query);
}

// Null unless it is done.
inline values::OutcomeRef TakeOutcome(core::Shard& shard, values::NamespaceId ns, const values::FutureId& id,
                                      bool also_failed) {
  core::TakeOutcomes query;
  query.ns = ns;
  query.ids = {id};
  query.also_failed = also_failed;
  const std::vector<values::OutcomeRef> outcomes = shard.Ask(query);
  return outcomes.empty() ? nullptr : outcomes.front();
}

// `next` may be null, or point into the query.
inline std::vector<core::FutureView> List(core::Shard& shard, const core::ListFutures& query, uint64_t* next) {
  core::ListFutures::Answer page = shard.Ask(query);
  if (next != nullptr) *next = page->next;
  return std::move(page->futures);
}

inline std::vector<values::FutureId> GroupMembers(core::Shard& shard, values::NamespaceId ns,
                                                  const std::string& group) {
  core::ListGroup query;
  query.ns = ns;
  query.group = group;
  return *shard.Ask(query);
}

inline core::StreamStatus TakeCompletions(core::Shard& shard, core::Token token, size_t max, bool take_outcomes,
                                          std::vector<core::Completion>& out) {
  core::TakeCompletions query;
  query.token = token;
  query.max = max;
  query.take_outcomes = take_outcomes;
  core::TakenCompletions taken = shard.Ask(query);
  for (core::Completion& completion : taken.completions) out.push_back(std::move(completion));
  return taken.status;
}

// Its answer is taken off the end of `out`.
inline absl::Status Delete(core::Shard& shard, values::NamespaceId ns, const values::FutureId& id, base::Instant now,
                           core::Effects& out) {
  core::Delete command;
  command.ns = ns;
  command.ids = {id};
  core::Effects effects;
  shard.Apply(std::move(command), now, effects);
  absl::Status status;
  for (core::Effect& effect : effects) {
    if (auto* deleted = std::get_if<core::Deleted>(&effect)) {
      status = deleted->refusal.ok() ? deleted->statuses.at(0) : deleted->refusal;
    } else {
      out.push_back(std::move(effect));
    }
  }
  return status;
}

// Whether a list of what is there is shown.
inline absl::Status CheckReadable(core::Shard& shard) { return shard.Ask(core::ListGroup()).status(); }

}  // namespace muster::test
