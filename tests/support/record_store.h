// What shards hand to a journal, kept as records, and shards taken up again from them: a crash and a restart without a
// disk. One store a shard.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/core/shard.h"

namespace muster::test {

class RecordStore final : public core::ChangeSink {
 public:
  void PutFuture(const core::FutureRecord& record) override { futures[record.id.sequence] = record; }
  void PutInput(const values::FutureId& id, const values::Payload& input) override { inputs[id.sequence] = input; }
  void PutMembers(const values::FutureId& id, const core::MembersRecord& record) override {
    members[id.sequence] = record;
  }
  void DeleteFuture(const values::FutureId& id) override;
  void DeleteInput(const values::FutureId& id) override;
  void DeleteMembers(const values::FutureId& id) override;
  void PutRequest(const core::RequestRecord& record) override { requests[{record.ns, record.request_id}] = record; }
  void DeleteRequest(values::NamespaceId ns, const std::string& request_id) override;
  void PutMarks(const core::MarksRecord& record) override { marks = record; }

  // Takes what has changed as one batch. Returns whether there was anything.
  bool Commit(core::Shard& shard);
  // As a server does: each record to the shard, in order. The shard is new.
  absl::Status Restore(core::Shard& shard) const;

  std::map<uint64_t, core::FutureRecord> futures;
  std::map<uint64_t, values::Payload> inputs;
  std::map<uint64_t, core::MembersRecord> members;
  std::map<std::pair<values::NamespaceId, std::string>, core::RequestRecord> requests;
  core::MarksRecord marks;
  uint64_t batches = 0;
};

// Restores all shards, ties them together, and gives each shard's effects that are no messages to `absorb`.
absl::Status RestoreAll(const std::vector<const RecordStore*>& stores, const std::vector<core::Shard*>& shards,
                        base::Instant now, const std::function<void(size_t shard, core::Effects& effects)>& absorb);

}  // namespace muster::test
