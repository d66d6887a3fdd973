// What an RPC ends with: a refusal as gRPC's own status, with the google.rpc details in its trailer.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

#include "service/wire/status.h"

namespace muster::grpc_front {

grpc::Status ToGrpc(const absl::Status& status, const wire::StatusContext& context = {});

}  // namespace muster::grpc_front
