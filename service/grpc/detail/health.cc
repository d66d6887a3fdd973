#include "service/grpc/detail/health.h"

#include <string_view>

#include "grpc/health/v1/health.grpc.pb.h"

#include "service/base/status.h"
#include "service/coro/event.h"
#include "service/grpc/detail/registrar.h"
#include "service/verbs/stream_place.h"
#include "service/wire/status.h"

namespace muster::grpc_front {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// Readiness under the two names that clients ask for, liveness under a name of its own.
HealthCheckResponse::ServingStatus StatusOf(std::string_view service, const HealthState& state) {
  const bool live = service == "live";
  if (!live && !service.empty() && service != "muster.v1.FutureService") return HealthCheckResponse::SERVICE_UNKNOWN;
  const std::atomic<bool>& says = live ? state.alive : state.serving;
  return says.load(std::memory_order_acquire) ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

}  // namespace

class Health::Generated final : public grpc::health::v1::Health::AsyncService {};

// Answers on one loop; everything on its thread.
class Health::OnLoop {
 public:
  OnLoop(const HealthState& state, executor::Loop& loop) : state_(state), loop_(loop) {}

  coro::Task<absl::Status> Check(HealthCheckRequest& request, HealthCheckResponse& response);
  coro::Task<absl::Status> Watch(Rpc& rpc, HealthCheckRequest& request, StreamWriter<HealthCheckResponse>& out);
  // From any thread.
  void TellWatchers() {
    loop_.Post([this] { changed_.Pulse(); });
  }

 private:
  const HealthState& state_;
  executor::Loop& loop_;
  coro::Event changed_;  // pulsed
};

coro::Task<absl::Status> Health::OnLoop::Check(HealthCheckRequest& request, HealthCheckResponse& response) {
  response.set_status(StatusOf(request.service(), state_));
  if (response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
    co_return wire::Plain(absl::StatusCode::kNotFound, "no such service");
  }
  co_return absl::OkStatus();
}

coro::Task<absl::Status> Health::OnLoop::Watch(Rpc& rpc, HealthCheckRequest& request,
                                               StreamWriter<HealthCheckResponse>& out) {
  MUSTER_CO_ASSIGN_OR_RETURN(const verbs::StreamPlace place, verbs::TakeStreamPlace(rpc));
  HealthCheckResponse response;
  for (;;) {
    const auto now = StatusOf(request.service(), state_);
    if (now != response.status()) {
      response.set_status(now);
      if (!co_await out.Write(response)) co_return absl::CancelledError();
      continue;  // it may have changed while that was under way
    }
    MUSTER_CO_RETURN_IF_ERROR(co_await changed_.Wait(rpc.token));
  }
}

Health::Health() : generated_(std::make_unique<Generated>()) {}
Health::~Health() = default;

grpc::Service& Health::generated() { return *generated_; }

// Probes are not counted.
void Health::AddTo(LoopCalls& calls, metrics::Metrics*) {
  OnLoop* const loop = loops_.emplace_back(std::make_unique<OnLoop>(state_, calls.loop)).get();
  Registrar add(calls, *generated_, "grpc.health.v1.Health", nullptr, Answers::kAlways);
  add.Unary("Check", &Accept<&Generated::RequestCheck>::From,
            [loop](Rpc&, HealthCheckRequest& request, HealthCheckResponse& response) {
              return loop->Check(request, response);
            });
  add.ServerStream("Watch", &Accept<&Generated::RequestWatch>::From,
                   [loop](Rpc& rpc, HealthCheckRequest& request, StreamWriter<HealthCheckResponse>& out) {
                     return loop->Watch(rpc, request, out);
                   });
}

void Health::TellWatchers() {
  for (const auto& loop : loops_) loop->TellWatchers();
}

}  // namespace muster::grpc_front
