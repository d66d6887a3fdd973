#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "google/protobuf/arena.h"

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/arena.h"
#include "service/wire/convert.h"
#include "service/wire/format.h"
#include "service/wire/plain.h"

namespace muster::verbs {

namespace {

wire::SubmitContext ContextOf(const Rpc& rpc, const values::Namespace& ns) {
  wire::SubmitContext context = SubmitContextOf(rpc, ns);
  context.attached = true;
  context.default_retention = wire::kAttachedRetention;
  return context;
}

// A CallRequest of its two fields, the future once, the namespace in ASCII, which is always well-formed; nothing else
// is usual.
bool ReadUsual(std::string_view bytes, std::string& name_space, std::string_view& future) {
  wire::FieldCursor in(bytes);
  while (!in.AtEnd()) {
    const uint8_t field = in.Byte();
    std::string_view value;
    if (!in.Bytes(value)) return false;
    if (field == wire::BytesField(pb::CallRequest::kNamespaceFieldNumber)) {
      if (std::any_of(value.begin(), value.end(), [](char c) { return static_cast<signed char>(c) < 0; })) return false;
      name_space = value;
    } else if (field == wire::BytesField(pb::CallRequest::kFutureFieldNumber) && future.data() == nullptr) {
      future = value;
    } else {
      return false;
    }
  }
  return true;
}

absl::StatusOr<wire::Submission> Read(Rpc& rpc, std::string_view bytes) {
  std::string name_space;
  std::string_view future;
  wire::PlainSpec plain;
  if (ReadUsual(bytes, name_space, future) &&
      wire::PlainSpecReader(rpc.service.directory(), rpc.service.limits().payload_bytes_max).Read(future, plain)) {
    MUSTER_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, name_space));
    wire::Submission submission;
    submission.command = wire::PlainCall(ContextOf(rpc, entry.ns), *plain.function, wire::InputOf(plain));
    return submission;
  }
  // Most have room for all their parts here.
  alignas(std::max_align_t) char first[2048];
  google::protobuf::ArenaOptions in_place;
  in_place.initial_block = first;
  in_place.initial_block_size = sizeof first;
  google::protobuf::Arena arena(in_place);
  auto& request = *wire::MakeOn<pb::CallRequest>(arena);
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return wire::RefuseMalformed("the request", "CallRequest", bytes.size());
  }
  MUSTER_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  return wire::ToSubmit(ContextOf(rpc, entry.ns), *request.mutable_future(), nullptr, wire::Path("future"));
}

void Write(const core::Completion& completion, uint64_t bytes_max, wire::Buffer& response) {
  wire::Room room(bytes_max, 2);
  if (wire::IsPlain(completion)) {
    const wire::PlainCompletion plain(completion, room);
    char* const at = response.Extend(wire::FieldSize(plain.size()));
    plain.Put(wire::PutLength(pb::CallResponse::kCompletionFieldNumber, plain.size(), at));
    return;
  }
  pb::CallResponse message;
  wire::FromCompletionWithOutcome(completion, room, *message.mutable_completion());
  const size_t size = message.ByteSizeLong();
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(response.Extend(size)));
}

}  // namespace

coro::Task<absl::Status> Call(Rpc& rpc, std::string_view request, wire::Buffer& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(wire::Submission submission, Read(rpc, request));
  MUSTER_CO_ASSIGN_OR_RETURN(
      const core::Completion completion,
      co_await rpc.service.Call(std::move(submission.command), rpc.token, submission.cancel_on_disconnect));
  Write(completion, rpc.service.limits().message_bytes_max, response);
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
