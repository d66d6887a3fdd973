// A service that the server offers: what gRPC knows of it, and its methods on each loop.
//
// Lifetime: outlives the loops' calls and the grpc::Server.
#pragma once

#include <grpcpp/impl/service_type.h>

#include "service/metrics/metrics.h"

namespace muster::grpc_front {

struct LoopCalls;

class RpcService {
 public:
  virtual ~RpcService() = default;
  virtual grpc::Service& generated() = 0;
  // Once a loop, before any runs. `metrics` may be null.
  virtual void AddTo(LoopCalls& loop, metrics::Metrics* metrics) = 0;
};

}  // namespace muster::grpc_front
