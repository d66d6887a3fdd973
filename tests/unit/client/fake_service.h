// FakeService: a small FutureService in this process that keeps futures in a map, records what it is asked, and fails
// on demand. It knows only as much of the contract as the client's tests need.
//
// Threading: gRPC's threads and the test's; everything is under one mutex. Lifetime: the server runs as long as it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "muster/v1/future_service.grpc.pb.h"
#include "service/base/mutex.h"

namespace muster::client {

// UNAVAILABLE and the like with the details that the service sends.
grpc::Status Refusal(grpc::StatusCode code, const std::string& message, const std::string& reason,
                     int retry_millis = 0);

class FakeService final : public v1::FutureService::Service {
 public:
  FakeService();
  ~FakeService() override;

  const std::string& address() const { return address_; }

  // The next call of `method` ("Submit") answers this, after having been applied when `applied`.
  void FailNext(const std::string& method, grpc::Status status, bool applied = false);

  int calls(const std::string& method);
  // How many futures were made by Submit or Call.
  int made();
  std::vector<std::string> request_ids();
  std::vector<v1::WaitRequest> waits();
  std::vector<v1::AsCompletedRequest> as_completed();
  // Blocks until `method` has been called so often.
  void AwaitCalls(const std::string& method, int count);

  // What Wait and AsCompleted do with the n-th call (from 0); set before the calls.
  std::function<grpc::Status(int, const v1::WaitRequest&, v1::WaitResponse&, grpc::ServerContext&)> on_wait;
  std::function<grpc::Status(int, const v1::AsCompletedRequest&, grpc::ServerWriter<v1::AsCompletedResponse>&)>
      on_as_completed;
  std::function<grpc::Status(int, grpc::ServerWriter<v1::GatherResponse>&)> on_gather;
  // Run: credits granted, and after how many answers the n-th stream breaks (negative: never).
  std::uint32_t run_credits = 4;
  std::function<int(int)> run_breaks_after = [](int) { return -1; };
  struct RunRecord {
    std::string session;
    std::vector<std::uint64_t> tags;
    std::uint32_t in_flight_max = 0;
    v1::FutureOptions defaults;
  };
  std::vector<RunRecord> runs();

  grpc::Status Submit(grpc::ServerContext*, const v1::SubmitRequest*, v1::SubmitResponse*) override;
  grpc::Status SubmitBatch(grpc::ServerContext*, const v1::SubmitBatchRequest*, v1::SubmitBatchResponse*) override;
  grpc::Status Call(grpc::ServerContext*, const v1::CallRequest*, v1::CallResponse*) override;
  grpc::Status Run(grpc::ServerContext*, grpc::ServerReaderWriter<v1::RunResponse, v1::RunRequest>*) override;
  grpc::Status Wait(grpc::ServerContext*, const v1::WaitRequest*, v1::WaitResponse*) override;
  grpc::Status AsCompleted(grpc::ServerContext*, const v1::AsCompletedRequest*,
                           grpc::ServerWriter<v1::AsCompletedResponse>*) override;
  grpc::Status Gather(grpc::ServerContext*, const v1::GatherRequest*, grpc::ServerWriter<v1::GatherResponse>*) override;
  grpc::Status Cancel(grpc::ServerContext*, const v1::CancelRequest*, v1::CancelResponse*) override;
  grpc::Status CreatePromise(grpc::ServerContext*, const v1::CreatePromiseRequest*,
                             v1::CreatePromiseResponse*) override;

 private:
  // Counts the call; the failure that is due, if any.
  struct Due {
    int number = 0;
    bool fails = false;
    bool applied = false;
    grpc::Status status;
  };
  Due Count(const std::string& method);
  std::string Make(const std::string& request_id) MUSTER_REQUIRES(mutex_);

  base::Mutex mutex_;
  base::CondVar counted_;
  std::map<std::string, int> calls_ MUSTER_GUARDED_BY(mutex_);
  std::map<std::string, std::deque<Due>> failures_ MUSTER_GUARDED_BY(mutex_);
  std::map<std::string, std::string> by_request_id_ MUSTER_GUARDED_BY(mutex_);
  std::vector<std::string> request_ids_ MUSTER_GUARDED_BY(mutex_);
  std::vector<v1::WaitRequest> waits_ MUSTER_GUARDED_BY(mutex_);
  std::vector<v1::AsCompletedRequest> as_completed_ MUSTER_GUARDED_BY(mutex_);
  std::vector<RunRecord> runs_ MUSTER_GUARDED_BY(mutex_);
  int made_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

// {"id": id, SUCCEEDED, value: id}
v1::Completion DoneCompletion(const std::string& id);

}  // namespace muster::client
