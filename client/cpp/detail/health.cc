#include "client/cpp/detail/health.h"

#include <optional>
#include <utility>
#include <vector>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/generic/generic_stub.h>

#include "client/cpp/detail/rpc.h"

namespace muster::client::detail {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr uint32_t kServing = 1;  // of HealthCheckResponse.ServingStatus

// HealthCheckRequest: `string service = 1`.
grpc::ByteBuffer Encode(const std::string& service) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    WireFormatLite::WriteString(1, service, &out);
  }
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

// HealthCheckResponse: `ServingStatus status = 1`. Absent when those bytes are no such message.
std::optional<uint32_t> Decode(const grpc::ByteBuffer& response) {
  std::vector<grpc::Slice> slices;
  if (!response.Dump(&slices).ok()) return std::nullopt;
  std::string bytes;
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  uint32_t status = 0;
  while (const uint32_t tag = in.ReadTag()) {
    const bool is_status = tag == WireFormatLite::MakeTag(1, WireFormatLite::WIRETYPE_VARINT);
    if (!(is_status ? in.ReadVarint32(&status) : WireFormatLite::SkipField(&in, tag))) return std::nullopt;
  }
  return in.ConsumedEntireMessage() ? std::optional(status) : std::nullopt;
}

}  // namespace

coro::Task<absl::StatusOr<bool>> CheckHealth(std::shared_ptr<Connection> connection, std::string service,
                                             coro::CancelToken& token) {
  grpc::GenericStub stub(connection->channel());
  grpc::ClientContext context;
  SetDeadline(context, connection->options().deadline);
  const grpc::ByteBuffer request = Encode(service);
  grpc::ByteBuffer response;
  grpc::Status status;
  RpcEvent finished(context, token);
  auto reader = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &connection->queue());
  reader->StartCall();
  reader->Finish(&response, &status, finished.tag());
  co_await finished;
  if (finished.cancelled()) co_return absl::CancelledError(token.message());
  if (!status.ok()) co_return FromGrpc(status);
  const std::optional<uint32_t> serving = Decode(response);
  if (!serving.has_value()) co_return absl::InternalError("the answer to the health check cannot be read");
  co_return *serving == kServing;
}

}  // namespace muster::client::detail
