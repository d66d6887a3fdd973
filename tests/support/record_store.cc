#include "tests/support/record_store.h"

#include <algorithm>
#include <deque>

#include "service/base/check.h"
#include "service/base/status.h"

namespace muster::test {

// A row is deleted once and only if it is there: the core must know what it has stored.
void RecordStore::DeleteFuture(const values::FutureId& id) { MUSTER_CHECK_EQ(futures.erase(id.sequence), 1u); }
void RecordStore::DeleteInput(const values::FutureId& id) { MUSTER_CHECK_EQ(inputs.erase(id.sequence), 1u); }
void RecordStore::DeleteMembers(const values::FutureId& id) { MUSTER_CHECK_EQ(members.erase(id.sequence), 1u); }
void RecordStore::DeleteRequest(values::NamespaceId ns, const std::string& request_id) {
  MUSTER_CHECK_EQ(requests.erase({ns, request_id}), 1u);
}

bool RecordStore::Commit(core::Shard& shard) {
  if (!shard.HasChanges()) return false;
  shard.TakeChanges(*this, ++batches);
  MUSTER_CHECK(!shard.HasChanges());
  return true;
}

absl::Status RecordStore::Restore(core::Shard& shard) const {
  shard.Restore(marks);
  for (const auto& [sequence, record] : futures) {
    MUSTER_RETURN_IF_ERROR(shard.Restore(record));
    if (const auto input = inputs.find(sequence); input != inputs.end()) {
      MUSTER_RETURN_IF_ERROR(shard.RestoreInput(record.id, input->second));
    }
    if (const auto found = members.find(sequence); found != members.end()) {
      MUSTER_RETURN_IF_ERROR(shard.RestoreMembers(record.id, found->second));
    }
  }
  for (const auto& [key, record] : requests) MUSTER_RETURN_IF_ERROR(shard.Restore(record));
  return absl::OkStatus();
}

absl::Status RestoreAll(const std::vector<const RecordStore*>& stores, const std::vector<core::Shard*>& shards,
                        base::Instant now, const std::function<void(size_t shard, core::Effects& effects)>& absorb) {
  uint32_t depth = 0;
  for (size_t at = 0; at < shards.size(); ++at) MUSTER_RETURN_IF_ERROR(stores[at]->Restore(*shards[at]));
  for (core::Shard* shard : shards) depth = std::max(depth, shard->FinishRestoring());
  std::deque<core::SendToShard> messages;
  const auto collect = [&](size_t at, core::Effects& effects) {
    core::Effects others;
    for (core::Effect& effect : effects) {
      if (auto* send = std::get_if<core::SendToShard>(&effect)) {
        messages.push_back(std::move(*send));
      } else {
        others.push_back(std::move(effect));
      }
    }
    absorb(at, others);
  };
  const auto deliver = [&] {
    while (!messages.empty()) {
      core::SendToShard send = std::move(messages.front());
      messages.pop_front();
      core::Effects effects;
      shards[send.shard]->Apply(std::move(send.message), now, effects);
      collect(send.shard, effects);
    }
  };
  for (uint32_t level = 0; level <= depth; ++level) {
    for (size_t at = 0; at < shards.size(); ++at) {
      core::Effects effects;
      shards[at]->Relink(level, now, effects);
      collect(at, effects);
    }
    deliver();
  }
  for (size_t at = 0; at < shards.size(); ++at) {
    core::Effects effects;
    MUSTER_RETURN_IF_ERROR(shards[at]->FinishRelinking(now, effects));
    collect(at, effects);
  }
  deliver();
  return absl::OkStatus();
}

}  // namespace muster::test
