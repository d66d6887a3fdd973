#include "service/wire/plain.h"

#include <algorithm>
#include <string>
#include <utility>

#include "service/wire/format.h"

namespace muster::wire {

namespace {

using wire::BytesField;
using wire::FieldCursor;
using wire::FieldSize;
using wire::NumberSize;

// One of bytes and nothing else; a repeated body, metadata and the like are for protobuf to merge.
bool ReadData(std::string_view payload, std::string_view& data) {
  FieldCursor in(payload);
  return !in.AtEnd() && in.Byte() == BytesField(pb::Payload::kDataFieldNumber) && in.Bytes(data) && in.AtEnd();
}

size_t PayloadSize(const values::Payload::Content& content) {
  return (content.content_type.empty() ? 0 : FieldSize(content.content_type.size())) + FieldSize(content.body.size());
}

char* PutPayload(const values::Payload::Content& content, char* at) {
  if (!content.content_type.empty()) {
    at = wire::PutBytes(pb::Payload::kContentTypeFieldNumber, content.content_type, at);
  }
  const bool is_text = content.encoding == values::Encoding::kText;
  return wire::PutBytes(is_text ? pb::Payload::kTextFieldNumber : pb::Payload::kDataFieldNumber, content.body, at);
}

}  // namespace

bool PlainSpecReader::Read(std::string_view bytes, PlainSpec& spec) {
  FieldCursor in(bytes);
  std::string_view call;
  return !in.AtEnd() && in.Byte() == BytesField(pb::FutureSpec::kCallFieldNumber) && in.Bytes(call) && in.AtEnd() &&
         ReadCall(call, spec);
}

// Each field may stand once, in any order.
bool PlainSpecReader::ReadCall(std::string_view bytes, PlainSpec& spec) {
  FieldCursor in(bytes);
  std::string_view field;
  while (!in.AtEnd()) {
    const uint8_t tag = in.Byte();
    if (!in.Bytes(field)) return false;
    switch (tag) {
      case BytesField(pb::FunctionCall::kFunctionFieldNumber):
        if (spec.function != nullptr) return false;
        // Text that is no UTF-8 is malformed; the name of a function never is.
        if (last_ == nullptr || last_->name != field) last_ = functions_.Find(field);
        if (last_ == nullptr) return false;
        spec.function = last_;
        break;
      case BytesField(pb::FunctionCall::kInputFieldNumber):
        if (std::exchange(spec.has_data, true) || !ReadData(field, spec.data)) return false;
        if (spec.data.size() > data_bytes_max_) return false;
        break;
      default:
        return false;
    }
  }
  return spec.function != nullptr;
}

values::Payload InputOf(const PlainSpec& spec) {
  return spec.has_data ? values::Payload::Bytes(std::string(spec.data)) : values::Payload();
}

std::string PlainSpecBytes(std::string_view function, const values::Payload& input) {
  const bool has_input = input.content != nullptr;
  const size_t payload_size = has_input ? FieldSize(input.body().size()) : 0;
  const size_t call_size = FieldSize(function.size()) + (has_input ? FieldSize(payload_size) : 0);
  std::string bytes(FieldSize(call_size) + FieldSize(0), '\0');
  char* at = wire::PutLength(pb::FutureSpec::kCallFieldNumber, call_size, bytes.data());
  at = wire::PutBytes(pb::FunctionCall::kFunctionFieldNumber, function, at);
  if (has_input) {
    at = wire::PutLength(pb::FunctionCall::kInputFieldNumber, payload_size, at);
    at = wire::PutBytes(pb::Payload::kDataFieldNumber, input.body(), at);
  }
  wire::PutLength(pb::FutureSpec::kOptionsFieldNumber, 0, at);
  return bytes;
}

bool IsPlain(const core::Completion& completion) {
  if (completion.outcome == nullptr) return false;
  const values::Outcome& outcome = *completion.outcome;
  if (outcome.kind != values::Outcome::Kind::kValue || outcome.value.content == nullptr) return false;
  const values::Payload::Content& content = *outcome.value.content;
  return (content.encoding == values::Encoding::kBytes || content.encoding == values::Encoding::kText) &&
         content.metadata.empty();
}

PlainCompletion::PlainCompletion(const core::Completion& completion, Room& room)
    : completion_(completion),
      payload_size_(PayloadSize(*completion.outcome->value.content)),
      outcome_size_(FieldSize(payload_size_)) {
  room.bytes -= std::min(room.bytes, kCompletionBytes);
  fits_ = outcome_size_ + kOutcomeFieldBytes <= room.bytes;
  if (fits_) room.bytes -= outcome_size_ + kOutcomeFieldBytes;
  size_ = FieldSize(values::FutureId::kTextBytes) + NumberSize(static_cast<uint64_t>(FromState(completion.state))) +
          (fits_ ? FieldSize(outcome_size_) : NumberSize(1)) + NumberSize(completion.attempt);
}

char* PlainCompletion::Put(char* at) const {
  at = wire::PutId(pb::Completion::kIdFieldNumber, completion_.id, at);
  at = wire::PutNumber(pb::Completion::kStateFieldNumber, static_cast<uint64_t>(FromState(completion_.state)), at);
  if (fits_) {
    at = wire::PutLength(pb::Completion::kOutcomeFieldNumber, outcome_size_, at);
    at = wire::PutLength(pb::Outcome::kValueFieldNumber, payload_size_, at);
    at = PutPayload(*completion_.outcome->value.content, at);
  } else {
    at = wire::PutNumber(pb::Completion::kOutcomeOmittedFieldNumber, 1, at);
  }
  return wire::PutNumber(pb::Completion::kAttemptFieldNumber, completion_.attempt, at);
}

}  // namespace muster::wire
