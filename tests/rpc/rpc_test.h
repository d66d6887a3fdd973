// What every RPC test is made of: a server with one loop and with three, a client stub, and short ways to say a
// request. Each RPC has a deadline.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "muster/v1/future_service.grpc.pb.h"
#include "service/base/thread.h"
#include "tests/rpc/test_server.h"

namespace muster::test {

namespace pb = ::muster::v1;

inline constexpr auto kDeadline = std::chrono::seconds(20);

// A context with the deadline that every RPC of a test has.
struct Context : grpc::ClientContext {
  explicit Context(std::chrono::milliseconds timeout = kDeadline) {
    set_deadline(std::chrono::system_clock::now() + timeout);
  }
};

// Looks until `condition` holds; for what another thread or the transport brings about.
inline bool Eventually(const std::function<bool()>& condition) {
  for (int tries = 0; tries < 10'000; ++tries) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// The reason in a status' details; empty when there is none.
inline std::string ReasonOf(const grpc::Status& status) {
  pb::RpcStatus details;
  if (!details.ParseFromString(status.error_details())) return "(malformed)";
  for (const auto& detail : details.details()) {
    pb::ErrorInfo info;
    if (detail.type_url() == "type.googleapis.com/google.rpc.ErrorInfo" && info.ParseFromString(detail.value())) {
      return info.reason();
    }
  }
  return "";
}

inline pb::FutureSpec CallOf(const std::string& function, const std::string& text = "") {
  pb::FutureSpec spec;
  spec.mutable_call()->set_function(function);
  if (!text.empty()) spec.mutable_call()->mutable_input()->set_text(text);
  return spec;
}
inline pb::FutureSpec GatherOf(const std::vector<std::string>& ids, bool return_exceptions = false) {
  pb::FutureSpec spec;
  spec.mutable_gather()->set_return_exceptions(return_exceptions);
  for (const std::string& id : ids) spec.mutable_gather()->add_ids(id);
  return spec;
}
inline pb::FutureSpec ShieldOf(const std::string& id) {
  pb::FutureSpec spec;
  spec.mutable_shield()->set_id(id);
  return spec;
}
inline pb::FutureSpec WaitForOf(const std::string& id) {
  pb::FutureSpec spec;
  spec.mutable_wait_for()->set_id(id);
  return spec;
}

class RpcTestBase : public ::testing::Test {
 protected:
  using Stub = pb::FutureService::Stub;

  void StartServer(TestServerOptions options) {
    server_ = std::make_unique<TestServer>(options);
    channel_ = grpc::CreateChannel(server_->target(), grpc::InsecureChannelCredentials());
    stub_ = pb::FutureService::NewStub(channel_);
  }

  template <typename In, typename Out>
  grpc::Status Rpc(grpc::Status (Stub::*method)(grpc::ClientContext*, const In&, Out*), const In& request,
                   Out* response) {
    Context context;
    return (stub_.get()->*method)(&context, request, response);
  }

  std::string Submit(const pb::FutureSpec& spec) {
    pb::SubmitRequest request;
    *request.mutable_future() = spec;
    pb::SubmitResponse response;
    const grpc::Status status = Rpc(&Stub::Submit, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.id();
  }
  std::string Promise() {
    pb::CreatePromiseResponse response;
    const grpc::Status status = Rpc(&Stub::CreatePromise, pb::CreatePromiseRequest(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.id();
  }
  grpc::Status SetResult(const std::string& id, const std::string& text) {
    pb::SetResultRequest request;
    request.set_id(id);
    request.mutable_value()->set_text(text);
    pb::SetResultResponse response;
    return Rpc(&Stub::SetResult, request, &response);
  }
  grpc::Status SetException(const std::string& id, const std::string& message) {
    pb::SetExceptionRequest request;
    request.set_id(id);
    request.mutable_error()->set_type("ValueError");
    request.mutable_error()->set_message(message);
    pb::SetExceptionResponse response;
    return Rpc(&Stub::SetException, request, &response);
  }
  pb::Future Get(const std::string& id) {
    pb::GetRequest request;
    request.set_id(id);
    pb::GetResponse response;
    const grpc::Status status = Rpc(&Stub::Get, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.future();
  }
  pb::CancelEffect Cancel(const std::string& id, const std::string& message = "") {
    pb::CancelRequest request;
    request.mutable_set()->add_ids(id);
    request.set_message(message);
    pb::CancelResponse response;
    const grpc::Status status = Rpc(&Stub::Cancel, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.items_size() == 1 ? response.items(0).effect() : pb::CANCEL_EFFECT_UNSPECIFIED;
  }
  static pb::WaitRequest WaitOn(const std::vector<std::string>& ids,
                                pb::ReturnWhen return_when = pb::RETURN_WHEN_ALL_COMPLETED) {
    pb::WaitRequest request;
    for (const std::string& id : ids) request.mutable_set()->add_ids(id);
    request.set_return_when(return_when);
    return request;
  }
  pb::WaitResponse Wait(const pb::WaitRequest& request) {
    pb::WaitResponse response;
    const grpc::Status status = Rpc(&Stub::Wait, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // Waits until it is done, and says how.
  pb::Completion Done(const std::string& id) {
    const pb::WaitResponse response = Wait(WaitOn({id}));
    EXPECT_EQ(response.done_size(), 1);
    return response.done_size() == 1 ? response.done(0) : pb::Completion();
  }
  // The status of a Wait that fails.
  grpc::Status WaitStatus(const pb::WaitRequest& request) {
    pb::WaitResponse response;
    return Rpc(&Stub::Wait, request, &response);
  }
  bool EventuallyIn(const std::string& id, pb::FutureState state) {
    return Eventually([&] { return Get(id).state() == state; });
  }
  // No wait, stream, call or link is left (semantics 36).
  bool EventuallyNothingOpen() {
    return Eventually([&] {
      const core::ShardStats stats = server_->Stats().shards;
      return stats.waits == 0 && stats.streams == 0 && stats.calls == 0 && stats.links == 0 && stats.pins == 0;
    });
  }

  std::unique_ptr<TestServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::FutureService::Stub> stub_;
};

// Real time; the parameter is the number of loops.
class RpcTest : public RpcTestBase, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    TestServerOptions options;
    options.loops = GetParam();
    StartServer(options);
  }
};

// Time that only Advance moves.
class ManualTimeRpcTest : public RpcTestBase, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    TestServerOptions options;
    options.loops = GetParam();
    options.manual_clock = true;
    StartServer(options);
  }
};

#define MUSTER_WITH_LOOPS(Suite)                                  \
  INSTANTIATE_TEST_SUITE_P(Loops, Suite, ::testing::Values(1, 3), \
                           [](const auto& info) { return std::to_string(info.param); })

}  // namespace muster::test
