// grpc.health.v1 on our own loops: the one inside the packaged gRPC runs on the callback API's threads, which would
// compete with the loops for the network.
#pragma once

#include "grpc/health/v1/health.grpc.pb.h"

#include "service/grpc/detail/methods.h"

namespace muster::grpc_front {

// Adds Check and Watch to a loop.
void AddHealth(LoopCalls& loop, grpc::health::v1::Health::AsyncService& service);

}  // namespace muster::grpc_front
