// What RunRequestReader has read, as the message that protobuf's parser would have made of the same bytes: for the
// tests and the fuzzer, which compare the two.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

#include "service/wire/run_codec.h"

namespace muster::wire {

inline pb::RunRequest MessageOf(RunRequestReader& reader) {
  pb::RunRequest message;
  if (reader.has_open()) *message.mutable_open() = reader.open();
  for (const RunItem& item : reader.items()) {
    pb::RunRequest::Item& out = *message.add_items();
    if (!item.plain()) {
      out = *item.message;
      continue;
    }
    out.set_tag(item.tag);
    pb::FunctionCall& call = *out.mutable_future()->mutable_call();
    call.set_function(item.spec.function->name);
    if (item.spec.has_data) call.mutable_input()->set_data(std::string(item.spec.data));
  }
  for (const uint64_t tag : reader.cancel_tags()) message.add_cancel_tags(tag);
  return message;
}

// Equal messages have equal text here; unknown fields, which the server ignores, aside.
inline std::string Canonical(google::protobuf::Message& message) {
  message.DiscardUnknownFields();
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  {
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

// What protobuf makes of the bytes; nothing where it fails.
inline std::optional<std::string> ReadByProtobuf(std::string_view bytes) {
  pb::RunRequest message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return Canonical(message);
}

inline std::optional<std::string> ReadByReader(RunRequestReader& reader, std::string_view bytes) {
  if (!reader.Read(bytes)) return std::nullopt;
  pb::RunRequest message = MessageOf(reader);
  return Canonical(message);
}

}  // namespace muster::wire
