#include "service/grpc/detail/byte_calls.h"

#include <grpcpp/support/proto_buffer_reader.h>

namespace muster::grpc_front {

void IncomingBytes::Join() {
  // The reader walks over the slices without taking them apart: dumped ones would be a vector of references.
  grpc::ProtoBufferReader slices(&buffer_);
  const size_t length = buffer_.Length();
  const void* data = nullptr;
  int size = 0;
  while (slices.Next(&data, &size)) {
    const std::string_view slice(static_cast<const char*>(data), static_cast<size_t>(size));
    if (slice.size() == length) {  // in place; it lives as long as the buffer
      view_ = slice;
      return;
    }
    if (joined_.empty()) joined_.reserve(length);
    joined_ += slice;
  }
  view_ = joined_;
}

void IncomingBytes::Clear() {
  constexpr size_t kKeptBytesMax = 256 << 10;
  buffer_.Clear();
  view_ = {};
  joined_.clear();
  if (joined_.capacity() > kKeptBytesMax) joined_.shrink_to_fit();
}

grpc::ByteBuffer CopyOf(std::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace muster::grpc_front
