// Turns what a shard hands out into rows of a batch.
#pragma once

#include <string>

#include "service/core/record/record.h"
#include "service/store/journal.h"

namespace muster::runtime {

class RowWriter final : public core::ChangeSink {
 public:
  // Where rows go until the next call.
  void WriteTo(values::ShardIndex shard, store::Batch& batch) {
    shard_ = shard;
    batch_ = &batch;
  }

  void PutFuture(const core::FutureRecord& record) override;
  void PutInput(const values::FutureId& id, const values::Payload& input) override;
  void PutMembers(const values::FutureId& id, const core::MembersRecord& members) override;
  void DeleteFuture(const values::FutureId& id) override;
  void DeleteInput(const values::FutureId& id) override;
  void DeleteMembers(const values::FutureId& id) override;
  void PutRequest(const core::RequestRecord& record) override;
  void DeleteRequest(values::NamespaceId ns, const std::string& request_id) override;
  void PutMarks(const core::MarksRecord& marks) override;

 private:
  values::ShardIndex shard_ = 0;
  store::Batch* batch_ = nullptr;
  std::string key_, value_;  // reused
};

}  // namespace muster::runtime
