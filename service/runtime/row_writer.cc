#include "service/runtime/row_writer.h"

#include "service/rows/rows.h"

namespace muster::runtime {

void RowWriter::PutFuture(const core::FutureRecord& record) {
  rows::FutureKey(shard_, record.id.sequence, rows::Part::kFuture, key_);
  value_.clear();
  rows::Encode(record, value_);
  batch_->Put(key_, value_);
}

void RowWriter::PutInput(const values::FutureId& id, const values::Payload& input) {
  rows::FutureKey(shard_, id.sequence, rows::Part::kInput, key_);
  value_.clear();
  rows::Encode(input, value_);
  batch_->Put(key_, value_);
}

void RowWriter::PutMembers(const values::FutureId& id, const core::MembersRecord& members) {
  rows::FutureKey(shard_, id.sequence, rows::Part::kMembers, key_);
  value_.clear();
  rows::Encode(members, value_);
  batch_->Put(key_, value_);
}

void RowWriter::DeleteFuture(const values::FutureId& id) {
  rows::FutureKey(shard_, id.sequence, rows::Part::kFuture, key_);
  batch_->Delete(key_);
}

void RowWriter::DeleteInput(const values::FutureId& id) {
  rows::FutureKey(shard_, id.sequence, rows::Part::kInput, key_);
  batch_->Delete(key_);
}

void RowWriter::DeleteMembers(const values::FutureId& id) {
  rows::FutureKey(shard_, id.sequence, rows::Part::kMembers, key_);
  batch_->Delete(key_);
}

void RowWriter::PutRequest(const core::RequestRecord& record) {
  rows::RequestKey(shard_, record.ns, record.request_id, key_);
  value_.clear();
  rows::Encode(record, value_);
  batch_->Put(key_, value_);
}

void RowWriter::DeleteRequest(values::NamespaceId ns, const std::string& request_id) {
  rows::RequestKey(shard_, ns, request_id, key_);
  batch_->Delete(key_);
}

void RowWriter::PutMarks(const core::MarksRecord& marks) {
  rows::MarksKey(shard_, key_);
  value_.clear();
  rows::Encode(marks, value_);
  batch_->Put(key_, value_);
}

}  // namespace muster::runtime
