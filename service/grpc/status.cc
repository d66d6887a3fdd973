#include "service/grpc/status.h"

#include "muster/v1/error.pb.h"

namespace muster::grpc_front {

grpc::Status ToGrpc(const absl::Status& status, const wire::StatusContext& context) {
  if (status.ok()) return grpc::Status::OK;
  v1::RpcStatus wire;
  wire::ToRpcStatus(status, context, wire);
  return grpc::Status(static_cast<grpc::StatusCode>(wire.code()), wire.message(), wire.SerializeAsString());
}

}  // namespace muster::grpc_front
