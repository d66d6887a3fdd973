// Futures that stay pending: jobs that start in an hour.
#include <algorithm>
#include <cstdio>
#include <string>

#include <grpcpp/client_context.h>

#include "muster/v1/future_service.grpc.pb.h"
#include "tests/bench/load.h"

namespace muster::bench {
namespace {

namespace pb = muster::v1;

constexpr int kBatch = 1000;
constexpr int kPatienceSeconds = 30;

}  // namespace

bool SubmitBacklog(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan) {
  const auto stub = pb::FutureService::NewStub(channel);
  for (int left = plan.count; left > 0;) {
    pb::SubmitBatchRequest request;
    for (int i = std::min(left, kBatch); i > 0; --i) {
      pb::FutureSpec& spec = *request.add_futures();
      spec.mutable_call()->set_function("echo");
      spec.mutable_call()->mutable_input()->set_data(std::string(static_cast<size_t>(plan.payload_bytes), 'x'));
      spec.mutable_options()->mutable_delay()->set_seconds(3600);
    }
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(kPatienceSeconds));
    pb::SubmitBatchResponse response;
    const grpc::Status status = stub->SubmitBatch(&context, request, &response);
    if (!status.ok()) {
      std::fprintf(stderr, "bench_client: SubmitBatch failed with code %d: %s\n", static_cast<int>(status.error_code()),
                   status.error_message().c_str());
      return false;
    }
    for (const auto& item : response.items()) {
      if (!item.id().empty()) continue;
      std::fprintf(stderr, "bench_client: a future was refused: %s\n", item.status().ShortDebugString().c_str());
      return false;
    }
    left -= request.futures_size();
  }
  return true;
}

}  // namespace muster::bench
