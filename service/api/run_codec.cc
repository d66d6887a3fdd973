#include "service/api/run_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "google/protobuf/io/coded_stream.h"

#include "service/api/status.h"

namespace muster::api {
namespace {

// What a stream keeps for its next message, in the buffer and in items; beyond that it is given back.
constexpr size_t kKeptBytesMax = 256 << 10;
constexpr size_t kKeptItemsMax = 4096;

// The first byte of a field of either kind; all of ours have numbers below 16.
constexpr uint8_t VarintField(int number) { return static_cast<uint8_t>(number << 3); }
constexpr uint8_t BytesField(int number) { return static_cast<uint8_t>(number << 3 | 2); }

// --- Reading --------------------------------------------------------------------------------------------------------

// Walks over the fields of a message. It gives up (false) on all that is malformed, and on encodings that no usual
// writer makes: whoever uses it asks protobuf then.
class FieldCursor {
 public:
  explicit FieldCursor(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool AtEnd() const { return at_ == end_; }
  uint8_t Byte() { return static_cast<uint8_t>(*at_++); }
  bool Varint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const uint8_t byte = Byte();
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return shift < 63 || byte <= 1;
    }
    return false;
  }
  bool Bytes(std::string_view& bytes) {
    size_t length = 0;
    if (!Length(length) || length > static_cast<size_t>(end_ - at_)) return false;
    bytes = std::string_view(at_, length);
    at_ += length;
    return true;
  }

 private:
  // Of four bytes at most: protobuf, too, takes fewer bytes for a length than for a number.
  bool Length(size_t& length) {
    length = 0;
    for (int shift = 0; shift < 28 && at_ != end_; shift += 7) {
      const uint8_t byte = Byte();
      length |= size_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  const char* at_;
  const char* const end_;
};

// One of bytes and nothing else; a repeated body, metadata and the like are for protobuf to merge.
bool ReadData(std::string_view payload, std::string_view& data) {
  FieldCursor in(payload);
  return !in.AtEnd() && in.Byte() == BytesField(pb::Payload::kDataFieldNumber) && in.Bytes(data) && in.AtEnd();
}

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
  FieldCursor spec(future);
  std::string_view call;
  return !spec.AtEnd() && spec.Byte() == BytesField(pb::FutureSpec::kCallFieldNumber) && spec.Bytes(call) &&
         spec.AtEnd() && ReadCall(call, item);
}

bool RunRequestReader::ReadCall(std::string_view bytes, RunItem& item) {
  FieldCursor in(bytes);
  std::string_view field;
  while (!in.AtEnd()) {
    const uint8_t tag = in.Byte();
    if (!in.Bytes(field)) return false;
    switch (tag) {
      case BytesField(pb::FunctionCall::kFunctionFieldNumber):
        if (item.function != nullptr) return false;
        // Text that is no UTF-8 is malformed; the name of a function never is.
        item.function = Find(field);
        if (item.function == nullptr) return false;
        break;
      case BytesField(pb::FunctionCall::kInputFieldNumber):
        if (std::exchange(item.has_data, true) || !ReadData(field, item.data)) return false;
        if (item.data.size() > plain_bytes_max_) return false;
        break;
      default:
        return false;
    }
  }
  return item.function != nullptr;
}

const jobs::Function* RunRequestReader::Find(std::string_view name) {
  if (last_ == nullptr || last_->name != name) last_ = registry_.Find(name);
  return last_;
}

// --- Writing --------------------------------------------------------------------------------------------------------

namespace {

constexpr size_t VarintSize(uint64_t value) { return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7; }

// A field with a length, from its tag to its end.
constexpr size_t FieldSize(size_t bytes) { return 1 + VarintSize(bytes) + bytes; }
// A number, which is left out at its default.
constexpr size_t NumberSize(uint64_t value) { return value == 0 ? 0 : 1 + VarintSize(value); }

char* PutVarint(uint64_t value, char* at) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}

char* PutNumber(int field, uint64_t value, char* at) {
  if (value == 0) return at;
  *at++ = static_cast<char>(VarintField(field));
  return PutVarint(value, at);
}

// What follows is the field's content.
char* PutLength(int field, size_t length, char* at) {
  *at++ = static_cast<char>(BytesField(field));
  return PutVarint(length, at);
}

char* PutBytes(int field, std::string_view bytes, char* at) {
  at = PutLength(field, bytes.size(), at);
  std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

char* PutId(int field, const core::FutureId& id, char* at) {
  at = PutLength(field, core::FutureId::kTextBytes, at);
  id.WriteText(at);
  return at + core::FutureId::kTextBytes;
}

// A value of bytes or text, beside which there may be a content type and nothing more.
bool IsUsual(const core::Outcome& outcome) {
  if (outcome.kind != core::Outcome::Kind::kValue || outcome.value.content == nullptr) return false;
  const core::Payload::Content& content = *outcome.value.content;
  return (content.encoding == core::Encoding::kBytes || content.encoding == core::Encoding::kText) &&
         content.metadata.empty();
}

size_t PayloadSize(const core::Payload::Content& content) {
  return (content.content_type.empty() ? 0 : FieldSize(content.content_type.size())) + FieldSize(content.body.size());
}

char* PutPayload(const core::Payload::Content& content, char* at) {
  if (!content.content_type.empty()) at = PutBytes(pb::Payload::kContentTypeFieldNumber, content.content_type, at);
  const bool is_text = content.encoding == core::Encoding::kText;
  return PutBytes(is_text ? pb::Payload::kTextFieldNumber : pb::Payload::kDataFieldNumber, content.body, at);
}

}  // namespace

void RunResponseWriter::Clear() {
  size_ = 0;
  if (buffer_.size() > kKeptBytesMax) std::string().swap(buffer_);
}

char* RunResponseWriter::Extend(size_t bytes) {
  const size_t at = std::exchange(size_, size_ + bytes);
  if (size_ > buffer_.size()) buffer_.resize(std::max({size_, buffer_.size() * 2, size_t{4096}}));
  return buffer_.data() + at;
}

void RunResponseWriter::Credits(uint32_t credits) {
  PutNumber(pb::RunResponse::kCreditsFieldNumber, credits, Extend(NumberSize(credits)));
}

void RunResponseWriter::Accepted(uint64_t tag, const core::FutureId& id) {
  const size_t size = NumberSize(tag) + FieldSize(core::FutureId::kTextBytes);
  char* at = PutLength(pb::RunResponse::kAcceptedFieldNumber, size, Extend(FieldSize(size)));
  at = PutNumber(pb::RunResponse::Accepted::kTagFieldNumber, tag, at);
  PutId(pb::RunResponse::Accepted::kIdFieldNumber, id, at);
}

bool RunResponseWriter::Completed(uint64_t tag, const core::Completion& completion, Room& room,
                                  OnOverflow on_overflow) {
  if (completion.outcome == nullptr || !IsUsual(*completion.outcome)) {
    return CompletedAsMessage(tag, completion, room, on_overflow);
  }
  const core::Payload::Content& content = *completion.outcome->value.content;
  const size_t payload_size = PayloadSize(content);
  const size_t outcome_size = FieldSize(payload_size);
  room.bytes -= std::min(room.bytes, kCompletionBytes);
  const bool fits = outcome_size + kOutcomeFieldBytes <= room.bytes;
  if (fits) {
    room.bytes -= outcome_size + kOutcomeFieldBytes;
  } else if (on_overflow == OnOverflow::kWriteNothing) {
    return false;
  }
  const auto state = static_cast<uint64_t>(FromState(completion.state));
  const size_t completion_size = FieldSize(core::FutureId::kTextBytes) + NumberSize(state) +
                                 (fits ? FieldSize(outcome_size) : NumberSize(1)) + NumberSize(completion.attempt);
  const size_t done_size = NumberSize(tag) + FieldSize(completion_size);
  char* at = PutLength(pb::RunResponse::kDoneFieldNumber, done_size, Extend(FieldSize(done_size)));
  at = PutNumber(pb::RunResponse::Done::kTagFieldNumber, tag, at);
  at = PutLength(pb::RunResponse::Done::kCompletionFieldNumber, completion_size, at);
  at = PutId(pb::Completion::kIdFieldNumber, completion.id, at);
  at = PutNumber(pb::Completion::kStateFieldNumber, state, at);
  if (fits) {
    at = PutLength(pb::Completion::kOutcomeFieldNumber, outcome_size, at);
    at = PutLength(pb::Outcome::kValueFieldNumber, payload_size, at);
    at = PutPayload(content, at);
  } else {
    at = PutNumber(pb::Completion::kOutcomeOmittedFieldNumber, 1, at);
  }
  PutNumber(pb::Completion::kAttemptFieldNumber, completion.attempt, at);
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
  char* const at = PutLength(pb::RunResponse::kDoneFieldNumber, size, Extend(FieldSize(size)));
  done_.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(at));
}

}  // namespace muster::api
