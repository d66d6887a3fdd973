#include "service/grpc/detail/health.h"

#include <string_view>

#include "service/base/status.h"
#include "service/wire/status.h"

namespace muster::grpc_front {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// Readiness under the two names that clients ask for, liveness under a name of its own.
HealthCheckResponse::ServingStatus StatusOf(std::string_view service, const CallsShared& shared) {
  const bool live = service == "live";
  if (!live && !service.empty() && service != "muster.v1.FutureService") return HealthCheckResponse::SERVICE_UNKNOWN;
  const std::atomic<bool>& says = live ? shared.alive : shared.serving;
  return says.load(std::memory_order_acquire) ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

coro::Task<absl::Status> Check(Rpc& rpc, HealthCheckRequest& request, HealthCheckResponse& response) {
  response.set_status(StatusOf(request.service(), static_cast<const CallsShared&>(rpc.shared)));
  if (response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
    co_return wire::Plain(absl::StatusCode::kNotFound, "no such service");
  }
  co_return absl::OkStatus();
}

coro::Task<absl::Status> Watch(Rpc& rpc, HealthCheckRequest& request, StreamWriter<HealthCheckResponse>& out) {
  const verbs::StreamPlace place(rpc);
  MUSTER_CO_RETURN_IF_ERROR(place.status());
  HealthCheckResponse response;
  for (;;) {
    const auto now = StatusOf(request.service(), static_cast<const CallsShared&>(rpc.shared));
    if (now != response.status()) {
      response.set_status(now);
      if (!co_await out.Write(response)) co_return absl::CancelledError();
      continue;  // it may have changed while that was under way
    }
    MUSTER_CO_RETURN_IF_ERROR(co_await static_cast<LoopCalls&>(rpc.loop).health_changed.Wait(rpc.token));
  }
}

}  // namespace

void AddHealth(LoopCalls& loop, grpc::health::v1::Health::AsyncService& service) {
  using Service = grpc::health::v1::Health::AsyncService;
  Registrar add(loop, nullptr, "grpc.health.v1.Health", /*always=*/true);
  add.Unary(service, "Check", &Service::RequestCheck, &Check);
  add.ServerStream(service, "Watch", &Service::RequestWatch, &Watch);
}

}  // namespace muster::grpc_front
