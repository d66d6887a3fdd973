// muster.v1.FutureService: the verbs of service/verbs/list.h on completion queues.
#pragma once

#include <memory>

#include "service/grpc/detail/rpc_service.h"

namespace muster::grpc_front {

std::unique_ptr<RpcService> MakeFutureService();

}  // namespace muster::grpc_front
