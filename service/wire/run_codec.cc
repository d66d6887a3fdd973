#include "service/wire/run_codec.h"

#include <algorithm>
#include <utility>

#include "google/protobuf/io/coded_stream.h"

#include "service/wire/format.h"
#include "service/wire/status.h"

namespace muster::wire {
namespace {

// What a stream keeps for its next message, in the buffer and in items; beyond that it is given back.
constexpr size_t kKeptBytesMax = 256 << 10;
constexpr size_t kKeptItemsMax = 4096;

using wire::BytesField;
using wire::FieldCursor;
using wire::FieldSize;
using wire::NumberSize;
using wire::PutId;
using wire::PutLength;
using wire::PutNumber;
using wire::VarintField;

bool ReadCancelTags(std::string_view packed, std::vector<uint64_t>& tags) {
  FieldCursor in(packed);
  while (!in.AtEnd()) {
    uint64_t tag = 0;
    if (!in.Varint(tag)) return false;
    tags.push_back(tag);
  }
  return true;
}

// As when it is parsed as a part of its RunRequest: one level of nesting is used up.
bool ParseItem(std::string_view bytes, pb::RunRequest::Item& item) {
  using google::protobuf::io::CodedInputStream;
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  in.SetRecursionLimit(CodedInputStream::GetDefaultRecursionLimit() - 1);
  return item.ParseFromCodedStream(&in) && in.ConsumedEntireMessage();
}

}  // namespace

bool RunRequestReader::Read(std::string_view bytes) {
  Clear();
  if (!plain_calls_) return ReadWhole(bytes);
  switch (ReadUsual(bytes)) {
    case Found::kUsual:
      return true;
    case Found::kMalformed:
      return false;
    case Found::kUnusual:
      break;
  }
  Clear();
  return ReadWhole(bytes);
}

void RunRequestReader::Clear() {
  if (items_.capacity() > kKeptItemsMax) std::vector<RunItem>().swap(items_);
  if (cancel_tags_.capacity() > kKeptItemsMax) std::vector<uint64_t>().swap(cancel_tags_);
  items_.clear();
  cancel_tags_.clear();
  if (static_cast<size_t>(whole_.items_size()) > kKeptItemsMax) {
    pb::RunRequest fresh;
    whole_.Swap(&fresh);
  } else {
    whole_.Clear();
  }
}

// `open`, which comes once a stream, is not usual.
RunRequestReader::Found RunRequestReader::ReadUsual(std::string_view bytes) {
  FieldCursor in(bytes);
  std::string_view field;
  while (!in.AtEnd()) {
    switch (in.Byte()) {
      case BytesField(pb::RunRequest::kItemsFieldNumber):
        if (!in.Bytes(field)) return Found::kUnusual;
        if (!AddItem(field)) return Found::kMalformed;
        break;
      case BytesField(pb::RunRequest::kCancelTagsFieldNumber):
        if (!in.Bytes(field) || !ReadCancelTags(field, cancel_tags_)) return Found::kUnusual;
        break;
      case VarintField(pb::RunRequest::kCancelTagsFieldNumber): {
        uint64_t tag = 0;
        if (!in.Varint(tag)) return Found::kUnusual;
        cancel_tags_.push_back(tag);
        break;
      }
      default:
        return Found::kUnusual;
    }
  }
  return Found::kUsual;
}

bool RunRequestReader::ReadWhole(std::string_view bytes) {
  if (!whole_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
  items_.reserve(static_cast<size_t>(whole_.items_size()));
  for (pb::RunRequest::Item& message : *whole_.mutable_items()) {
    RunItem& item = items_.emplace_back();
    item.tag = message.tag();
    item.message = &message;
  }
  cancel_tags_.assign(whole_.cancel_tags().begin(), whole_.cancel_tags().end());
  return true;
}

// False when it is malformed.
bool RunRequestReader::AddItem(std::string_view bytes) {
  RunItem& item = items_.emplace_back();
  if (ReadItem(bytes, item)) return true;
  item = RunItem();
  item.message = whole_.add_items();
  if (!ParseItem(bytes, *item.message)) return false;
  item.tag = item.message->tag();
  return true;
}

// False when it is not plain. Each field may stand once, in any order.
bool RunRequestReader::ReadItem(std::string_view bytes, RunItem& item) {
  FieldCursor in(bytes);
  std::string_view future;
  bool has_tag = false;
  while (!in.AtEnd()) {
    switch (in.Byte()) {
      case VarintField(pb::RunRequest::Item::kTagFieldNumber):
        if (std::exchange(has_tag, true) || !in.Varint(item.tag)) return false;
        break;
      case BytesField(pb::RunRequest::Item::kFutureFieldNumber):
        if (future.data() != nullptr || !in.Bytes(future)) return false;
        break;
      default:
        return false;
    }
  }
  return specs_.Read(future, item.spec);
}

// --- Writing --------------------------------------------------------------------------------------------------------

void RunResponseWriter::Clear() { buffer_.Clear(kKeptBytesMax); }

void RunResponseWriter::Credits(uint32_t credits) {
  PutNumber(pb::RunResponse::kCreditsFieldNumber, credits, buffer_.Extend(NumberSize(credits)));
}

void RunResponseWriter::Accepted(uint64_t tag, const values::FutureId& id) {
  const size_t size = NumberSize(tag) + FieldSize(values::FutureId::kTextBytes);
  char* at = PutLength(pb::RunResponse::kAcceptedFieldNumber, size, buffer_.Extend(FieldSize(size)));
  at = PutNumber(pb::RunResponse::Accepted::kTagFieldNumber, tag, at);
  PutId(pb::RunResponse::Accepted::kIdFieldNumber, id, at);
}

bool RunResponseWriter::Completed(uint64_t tag, const core::Completion& completion, Room& room,
                                  OnOverflow on_overflow) {
  if (!IsPlain(completion)) return CompletedAsMessage(tag, completion, room, on_overflow);
  const PlainCompletion plain(completion, room);
  if (!plain.outcome_fits() && on_overflow == OnOverflow::kWriteNothing) return false;
  const size_t done_size = NumberSize(tag) + FieldSize(plain.size());
  char* at = PutLength(pb::RunResponse::kDoneFieldNumber, done_size, buffer_.Extend(FieldSize(done_size)));
  at = PutNumber(pb::RunResponse::Done::kTagFieldNumber, tag, at);
  plain.Put(PutLength(pb::RunResponse::Done::kCompletionFieldNumber, plain.size(), at));
  return true;
}

bool RunResponseWriter::CompletedAsMessage(uint64_t tag, const core::Completion& completion, Room& room,
                                           OnOverflow on_overflow) {
  done_.Clear();
  done_.set_tag(tag);
  FromCompletionWithOutcome(completion, room, *done_.mutable_completion());
  if (done_.completion().outcome_omitted() && on_overflow == OnOverflow::kWriteNothing) return false;
  WriteDone();
  return true;
}

void RunResponseWriter::Rejected(uint64_t tag, const absl::Status& refusal, Room& room) {
  done_.Clear();
  done_.set_tag(tag);
  ToItemStatus(refusal, *done_.mutable_rejected());
  room.bytes -= std::min<uint64_t>(room.bytes, done_.ByteSizeLong());
  WriteDone();
}

void RunResponseWriter::WriteDone() {
  const size_t size = done_.ByteSizeLong();
  char* const at = PutLength(pb::RunResponse::kDoneFieldNumber, size, buffer_.Extend(FieldSize(size)));
  done_.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(at));
}

}  // namespace muster::wire
