// grpc.health.v1 on our own loops: the one inside the packaged gRPC runs on the callback API's threads, which would
// compete with the loops for the network.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "service/grpc/detail/rpc_service.h"

namespace muster::grpc_front {

// What health says; from any thread.
struct HealthState {
  // Whether the server takes work: the names "" and "muster.v1.FutureService".
  std::atomic<bool> serving{false};
  // Whether a restart is not needed: the name "live".
  std::atomic<bool> alive{true};
};

class Health final : public RpcService {
 public:
  Health();
  ~Health() override;

  grpc::Service& generated() override;
  void AddTo(LoopCalls& loop, metrics::Metrics* metrics) override;

  HealthState& state() { return state_; }
  // After a change, from any thread while the loops run: open Watches look again.
  void TellWatchers();

 private:
  class Generated;
  class OnLoop;

  HealthState state_;
  const std::unique_ptr<Generated> generated_;
  std::vector<std::unique_ptr<OnLoop>> loops_;
};

}  // namespace muster::grpc_front
