// The verbs of muster.v1.FutureService as functions: one for each line of list.h, and one file each in futures/. rpc.h
// says what they share.
#pragma once

#include <string_view>

#include "muster/v1/future_service.pb.h"
#include "service/verbs/list.h"
#include "service/verbs/rpc.h"
#include "service/wire/format.h"

namespace muster::verbs {

#define MUSTER_DECLARE_Unary(name) \
  coro::Task<absl::Status> name(Rpc& rpc, pb::name##Request& request, pb::name##Response& response)
#define MUSTER_DECLARE_UnaryBytes(name) \
  coro::Task<absl::Status> name(Rpc& rpc, std::string_view request, wire::Buffer& response)
#define MUSTER_DECLARE_ServerStream(name) \
  coro::Task<absl::Status> name(Rpc& rpc, pb::name##Request& request, StreamWriter<pb::name##Response>& out)
#define MUSTER_DECLARE_StreamBytes(name) coro::Task<absl::Status> name(Rpc& rpc, ByteStream& stream)
#define MUSTER_DECLARE(name, shape) MUSTER_DECLARE_##shape(name);

MUSTER_FUTURE_VERBS(MUSTER_DECLARE)

#undef MUSTER_DECLARE
#undef MUSTER_DECLARE_StreamBytes
#undef MUSTER_DECLARE_ServerStream
#undef MUSTER_DECLARE_UnaryBytes
#undef MUSTER_DECLARE_Unary

}  // namespace muster::verbs
