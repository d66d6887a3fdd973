// Clients that vanish in the middle of each RPC; a server that stops; health.

#include "grpc/health/v1/health.grpc.pb.h"

#include "tests/rpc/run_rpc.h"

namespace muster::test {
namespace {

class VanishRpc : public RunRpc {
 protected:
  // Runs `call` on a thread, lets it be cut off once the server holds it, and checks that nothing stays.
  void CutOff(const std::function<void(Context&)>& call) {
    Context context;
    base::Thread client("client", [&] { call(context); });
    EXPECT_TRUE(Eventually([&] {
      const core::ShardStats stats = server_->Stats().shards;
      return stats.waits + stats.streams + stats.calls > 0;
    }));
    context.TryCancel();
    client.Join();
    EXPECT_TRUE(EventuallyNothingOpen());
    EXPECT_TRUE(Eventually([&] { return server_->server().live_calls() == 0; }));
  }
};
MUSTER_WITH_LOOPS(VanishRpc);

TEST_P(VanishRpc, InWait) {  // semantics 35, 36, 98
  const std::string id = Promise();
  CutOff([&](Context& context) {
    pb::WaitResponse response;
    EXPECT_EQ(stub_->Wait(&context, WaitOn({id}), &response).error_code(), grpc::StatusCode::CANCELLED);
  });
  EXPECT_EQ(Get(id).state(), pb::FUTURE_STATE_PENDING);
}

TEST_P(VanishRpc, InAWaitWhoseDeadlinePasses) {  // semantics 98
  const std::string id = Promise();
  Context context(std::chrono::milliseconds(50));
  pb::WaitResponse response;
  EXPECT_EQ(stub_->Wait(&context, WaitOn({id}), &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(EventuallyNothingOpen());
  EXPECT_EQ(Get(id).state(), pb::FUTURE_STATE_PENDING);
}

TEST_P(VanishRpc, InAsCompleted) {
  const std::string id = Promise();
  CutOff([&](Context& context) {
    pb::AsCompletedRequest request;
    request.mutable_set()->add_ids(id);
    auto reader = stub_->AsCompleted(&context, request);
    pb::AsCompletedResponse message;
    EXPECT_FALSE(reader->Read(&message));
    reader->Finish();
  });
  EXPECT_EQ(Get(id).state(), pb::FUTURE_STATE_PENDING);
}

TEST_P(VanishRpc, InGatherWithoutCancellingItsMembers) {  // semantics 98
  const std::string id = Promise();
  CutOff([&](Context& context) {
    pb::GatherRequest request;
    request.mutable_set()->add_ids(id);
    auto reader = stub_->Gather(&context, request);
    pb::GatherResponse message;
    EXPECT_FALSE(reader->Read(&message));
    reader->Finish();
  });
  EXPECT_EQ(Get(id).state(), pb::FUTURE_STATE_PENDING);
  EXPECT_EQ(server_->Stats().shards.futures, 1u);  // the promise
}

TEST_P(VanishRpc, InCallTheFutureLivesOnUnlessItAskedNotTo) {  // semantics 98
  for (const bool cancel : {false, true}) {
    CutOff([&](Context& context) {
      pb::CallRequest request;
      *request.mutable_future() = CallOf("hold");
      request.mutable_future()->mutable_options()->set_cancel_on_disconnect(cancel);
      pb::CallResponse response;
      EXPECT_EQ(stub_->Call(&context, request, &response).error_code(), grpc::StatusCode::CANCELLED);
    });
    EXPECT_TRUE(Eventually([&] { return server_->Stats().shards.pending == 1; }));  // of the first round
  }
}

TEST_P(VanishRpc, InRunTheFuturesLiveOnUnlessTheyAskedNotTo) {  // semantics 98
  CutOff([&](Context& context) {
    auto stream = Open(context, Opening());
    pb::FutureSpec spec = CallOf("hold");
    stream->Write(One(1, spec));
    spec.mutable_options()->set_cancel_on_disconnect(true);
    stream->Write(One(2, spec));
    stream->Write(One(3, spec));
    pb::RunResponse response;
    EXPECT_FALSE(stream->Read(&response));
    stream->Finish();
  });
  EXPECT_TRUE(Eventually([&] { return server_->Stats().shards.pending == 1; }));
}

TEST_P(VanishRpc, WithACancelledConnectionInTheMiddleOfMuchTraffic) {
  for (int round = 0; round < 5; ++round) {
    Context context;
    auto stream = Open(context, Opening());
    for (int batch = 0; batch < 5; ++batch) {
      pb::RunRequest request;
      for (int i = 0; i < 200; ++i) {
        pb::RunRequest::Item& item = *request.add_items();
        item.set_tag(static_cast<uint64_t>(batch) * 200 + static_cast<uint64_t>(i));
        *item.mutable_future() = CallOf(i % 2 == 0 ? "echo" : "sleep", i % 2 == 0 ? std::string(2000, 'x') : "5");
      }
      stream->Write(request);
    }
    context.TryCancel();
    stream->Finish();
  }
  EXPECT_TRUE(EventuallyNothingOpen());
  EXPECT_TRUE(Eventually([&] { return server_->server().live_calls() == 0; }));
  EXPECT_TRUE(Eventually([&] { return server_->Stats().shards.pending == 0; }));
}

TEST_P(VanishRpc, AServerThatStopsTellsEveryoneToComeBackLater) {
  const std::string id = Promise();
  Context run_context, completed_context;
  auto run = Open(run_context, Opening());
  run->Write(One(1, CallOf("hold")));
  pb::AsCompletedRequest request;
  request.mutable_set()->add_ids(id);
  auto completed = stub_->AsCompleted(&completed_context, request);
  grpc::Status wait_status, call_status;
  base::Thread waiter("client", [&] { wait_status = WaitStatus(WaitOn({id})); });
  base::Thread caller("client", [&] {
    pb::CallRequest call;
    *call.mutable_future() = CallOf("await", id);
    pb::CallResponse response;
    call_status = Rpc(&Stub::Call, call, &response);
  });
  ASSERT_TRUE(Eventually([&] {
    const core::ShardStats stats = server_->Stats().shards;
    return stats.waits == 1 && stats.streams == 1 && stats.calls == 2;
  }));
  server_->Stop();
  waiter.Join();
  caller.Join();
  pb::AsCompletedResponse message;
  while (completed->Read(&message)) {
  }
  EXPECT_EQ(ReasonOf(wait_status), "DRAINING") << wait_status.error_message();
  EXPECT_EQ(wait_status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(completed->Finish()), "DRAINING");
  Drain(*run);
  const grpc::Status run_status = run->Finish();
  EXPECT_EQ(ReasonOf(run_status), "DRAINING") << run_status.error_message();
  // Its job was cancelled by the drain's last step, which may be told before the drain itself.
  if (!call_status.ok()) {
    EXPECT_EQ(ReasonOf(call_status), "DRAINING") << call_status.error_message();
  }
}

TEST_P(VanishRpc, AServerStopsThoughAClientNeverReads) {
  Context run_context, completed_context;
  auto run = Open(run_context, Opening());
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) {  // more than a write takes, less than what stops the reading
    run->Write(One(static_cast<uint64_t>(i), CallOf("count", std::string(900'000, 'x'))));
    ids.push_back(Submit(CallOf("echo", std::string(900'000, 'x'))));
  }
  pb::AsCompletedRequest request;
  for (const std::string& id : ids) request.mutable_set()->add_ids(id);
  auto completed = stub_->AsCompleted(&completed_context, request);
  ASSERT_TRUE(Eventually([&] { return server_->counted() >= 8; }));
  server_->Stop();
  Drain(*run);
  EXPECT_FALSE(run->Finish().ok());
  pb::AsCompletedResponse message;
  while (completed->Read(&message)) {
  }
  EXPECT_FALSE(completed->Finish().ok());
}

TEST_P(VanishRpc, HealthFollowsReadiness) {
  auto health = grpc::health::v1::Health::NewStub(channel_);
  grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse response;
  {
    Context context;
    ASSERT_TRUE(health->Check(&context, request, &response).ok());
    EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  }
  Context watching;
  request.set_service("muster.v1.FutureService");
  auto watch = health->Watch(&watching, request);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  server_->server().SetServing(false);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  watching.TryCancel();
  watch->Finish();
  {  // it drains, and is alive
    request.set_service("live");
    Context context;
    ASSERT_TRUE(health->Check(&context, request, &response).ok());
    EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  }
  Context until_dead;
  watch = health->Watch(&until_dead, request);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  server_->server().SetDead();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  until_dead.TryCancel();
  watch->Finish();
  request.set_service("nobody");
  Context context;
  EXPECT_EQ(health->Check(&context, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace muster::test
