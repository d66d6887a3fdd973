// AsCompleted and Run over the wire; clients that vanish; a server that drains; health.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "grpc/health/v1/health.grpc.pb.h"

#include "tests/rpc/rpc_test.h"

namespace muster::test {
namespace {

class AsCompletedRpc : public RpcTest {
 protected:
  static pb::AsCompletedRequest Over(const std::vector<std::string>& ids) {
    pb::AsCompletedRequest request;
    for (const std::string& id : ids) request.mutable_set()->add_ids(id);
    return request;
  }
  struct Read {
    grpc::Status status;
    std::vector<pb::Completion> completions;
    std::vector<pb::AsCompletedResponse> messages;
  };
  Read ReadAll(const pb::AsCompletedRequest& request) {
    Read read;
    Context context;
    auto reader = stub_->AsCompleted(&context, request);
    pb::AsCompletedResponse message;
    while (reader->Read(&message)) {
      for (const pb::Completion& completion : message.completions()) read.completions.push_back(completion);
      read.messages.push_back(message);
    }
    read.status = reader->Finish();
    return read;
  }
};
MUSTER_WITH_LOOPS(AsCompletedRpc);

TEST_P(AsCompletedRpc, AnEmptySetEndsAtOnce) {  // semantics 37
  const Read read = ReadAll(pb::AsCompletedRequest());
  EXPECT_TRUE(read.status.ok()) << read.status.error_message();
  EXPECT_TRUE(read.completions.empty());
  ASSERT_EQ(read.messages.size(), 1u);
  EXPECT_EQ(read.messages[0].end(), pb::WAIT_END_SATISFIED);
}

TEST_P(AsCompletedRpc, CompletionsComeAsTheyHappenEachOnceAndNamed) {  // semantics 38, 39
  const std::string a = Promise(), b = Promise(), c = Promise();
  Context context;
  auto reader = stub_->AsCompleted(&context, Over({a, b, c, a}));
  pb::AsCompletedResponse message;
  std::vector<std::string> order;
  for (const std::string& id : {b, c, a}) {
    ASSERT_TRUE(SetResult(id, id).ok());
    ASSERT_TRUE(reader->Read(&message));
    ASSERT_EQ(message.completions_size(), 1);
    EXPECT_EQ(message.completions(0).id(), id);
    EXPECT_EQ(message.completions(0).outcome().value().text(), id);
    order.push_back(message.completions(0).id());
  }
  while (message.end() == pb::WAIT_END_UNSPECIFIED && reader->Read(&message)) EXPECT_EQ(message.completions_size(), 0);
  EXPECT_EQ(message.end(), pb::WAIT_END_SATISFIED);
  EXPECT_EQ(message.remaining(), 0u);
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(EventuallyNothingOpen());
}

TEST_P(AsCompletedRpc, WhatFinishedBeforeTheTimeoutComesFirstAndNothingIsCancelled) {  // semantics 40, 41
  const std::string a = Promise(), b = Promise();
  SetResult(a, "a");
  pb::AsCompletedRequest request = Over({a, b});
  request.mutable_timeout()->set_nanos(20'000'000);
  const Read read = ReadAll(request);
  EXPECT_TRUE(read.status.ok()) << read.status.error_message();
  ASSERT_EQ(read.completions.size(), 1u);
  EXPECT_EQ(read.completions[0].id(), a);
  EXPECT_EQ(read.messages.back().end(), pb::WAIT_END_TIMED_OUT);
  EXPECT_EQ(read.messages.back().remaining(), 1u);
  EXPECT_EQ(Get(b).state(), pb::FUTURE_STATE_PENDING);
}

TEST_P(AsCompletedRpc, AnIterationIsTakenUpAgainFromItsToken) {  // semantics 42
  const std::string a = Promise(), b = Promise();
  std::string token;
  {
    Context context;
    auto reader = stub_->AsCompleted(&context, Over({a, b}));
    SetResult(a, "a");
    pb::AsCompletedResponse message;
    ASSERT_TRUE(reader->Read(&message));
    EXPECT_EQ(message.completions(0).id(), a);
    token = message.resume_token();
    context.TryCancel();
    reader->Finish();
  }
  EXPECT_TRUE(EventuallyNothingOpen());
  SetResult(b, "b");
  pb::AsCompletedRequest request = Over({a, b});
  request.set_resume_token(token);
  const Read read = ReadAll(request);
  ASSERT_TRUE(read.status.ok()) << read.status.error_message();
  ASSERT_EQ(read.completions.size(), 1u);
  EXPECT_EQ(read.completions[0].id(), b);
  pb::AsCompletedRequest other = Over({a});
  other.set_resume_token(token);
  EXPECT_EQ(ReasonOf(ReadAll(other).status), "INVALID_RESUME_TOKEN");
}

TEST_P(AsCompletedRpc, LargeOutcomesAreSpreadOverMessagesAndNoneIsLost) {
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(Submit(CallOf("echo", std::string(900'000, 'x'))));
  Wait(WaitOn(ids));
  const Read read = ReadAll(Over(ids));
  ASSERT_TRUE(read.status.ok()) << read.status.error_message();
  ASSERT_EQ(read.completions.size(), 10u);
  for (const pb::Completion& completion : read.completions) {
    EXPECT_EQ(completion.outcome().value().text().size(), 900'000u);
  }
}

TEST_P(AsCompletedRpc, ManyCompletionsComeInBatches) {
  pb::SubmitBatchRequest batch;
  for (int i = 0; i < 3000; ++i) *batch.add_futures() = CallOf("echo", std::to_string(i));
  pb::SubmitBatchResponse submitted;
  ASSERT_TRUE(Rpc(&Stub::SubmitBatch, batch, &submitted).ok());
  pb::AsCompletedRequest request;
  for (const auto& item : submitted.items()) request.mutable_set()->add_ids(item.id());
  const Read read = ReadAll(request);
  std::set<std::string> seen;
  for (const pb::Completion& completion : read.completions) seen.insert(completion.id());
  EXPECT_EQ(seen.size(), 3000u);
  EXPECT_EQ(read.completions.size(), 3000u);
  EXPECT_LT(read.messages.size(), 1000u);
}

TEST_P(AsCompletedRpc, ProgressOfRunningMembersComesWhenAskedFor) {
  const std::string job = Submit(CallOf("progress"));
  pb::AsCompletedRequest request = Over({job});
  request.mutable_progress_interval()->set_nanos(100'000'000);
  Context context;
  auto reader = stub_->AsCompleted(&context, request);
  pb::AsCompletedResponse message;
  ASSERT_TRUE(reader->Read(&message));
  ASSERT_EQ(message.progress().count(job), 1u);
  EXPECT_EQ(message.progress().at(job).fraction(), 0.5);
  EXPECT_EQ(message.progress().at(job).message(), "half");
  EXPECT_EQ(message.completions_size(), 0);
  Cancel(job);
  while (message.end() == pb::WAIT_END_UNSPECIFIED) ASSERT_TRUE(reader->Read(&message));
  EXPECT_TRUE(reader->Finish().ok());
  request.mutable_progress_interval()->set_nanos(1'000'000);
  EXPECT_EQ(ReasonOf(ReadAll(request).status), "INVALID_DURATION");
}

// --- Run ------------------------------------------------------------------------------------------------------------

class RunRpc : public RpcTest {
 protected:
  using Stream = grpc::ClientReaderWriter<pb::RunRequest, pb::RunResponse>;

  static pb::RunRequest Opening(const std::string& session = "", bool acknowledge = false) {
    pb::RunRequest request;
    request.mutable_open()->set_session(session);
    request.mutable_open()->set_acknowledge(acknowledge);
    return request;
  }
  static pb::RunRequest One(uint64_t tag, const pb::FutureSpec& spec) {
    pb::RunRequest request;
    request.add_items()->set_tag(tag);
    *request.mutable_items(0)->mutable_future() = spec;
    return request;
  }
  // Opens and takes the first credits.
  std::unique_ptr<Stream> Open(grpc::ClientContext& context, const pb::RunRequest& opening,
                               uint32_t* credits = nullptr) {
    auto stream = stub_->Run(&context);
    EXPECT_TRUE(stream->Write(opening));
    pb::RunResponse response;
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_GT(response.credits(), 0u);
    if (credits != nullptr) *credits = response.credits();
    return stream;
  }
  // Reads until the stream ends.
  static std::map<uint64_t, pb::RunResponse::Done> Drain(Stream& stream) {
    std::map<uint64_t, pb::RunResponse::Done> done;
    pb::RunResponse response;
    while (stream.Read(&response)) {
      for (const auto& each : response.done()) EXPECT_TRUE(done.emplace(each.tag(), each).second) << each.tag();
    }
    return done;
  }
};
MUSTER_WITH_LOOPS(RunRpc);

TEST_P(RunRpc, ItemsAreMatchedByTagAndHalfCloseDrains) {
  Context context;
  uint32_t credits = 0;
  auto stream = Open(context, Opening(), &credits);
  EXPECT_EQ(credits, 10'000u);
  for (int batch = 0; batch < 20; ++batch) {
    pb::RunRequest request;
    for (int i = 0; i < 100; ++i) {
      pb::RunRequest::Item& item = *request.add_items();
      item.set_tag(static_cast<uint64_t>(batch * 100 + i));
      *item.mutable_future() = CallOf("echo", std::to_string(batch * 100 + i));
    }
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  const auto done = Drain(*stream);
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(done.size(), 2000u);
  for (const auto& [tag, each] : done) EXPECT_EQ(each.completion().outcome().value().text(), std::to_string(tag));
  EXPECT_TRUE(Eventually([&] { return server_->Stats().shards.futures == 0; }));
}

TEST_P(RunRpc, ACompletionGivesItsCreditBack) {
  Context context;
  auto stream = Open(context, Opening());
  pb::RunResponse response;
  for (uint64_t tag = 0; tag < 50; ++tag) {
    ASSERT_TRUE(stream->Write(One(tag, CallOf("echo", "v"))));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.credits(), 0u);
    ASSERT_EQ(response.done_size(), 1);
    EXPECT_EQ(response.done(0).tag(), tag);
  }
  stream->WritesDone();
  EXPECT_TRUE(Drain(*stream).empty());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_P(RunRpc, AcceptedIdsComeBeforeTheEndAndCanBeUsedElsewhere) {
  const std::string promise = Promise();
  Context context;
  auto stream = Open(context, Opening("", true));
  ASSERT_TRUE(stream->Write(One(7, CallOf("await", promise))));
  pb::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.accepted_size(), 1);
  EXPECT_EQ(response.accepted(0).tag(), 7u);
  EXPECT_EQ(Get(response.accepted(0).id()).function(), "await");
  SetResult(promise, "v");
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.done_size(), 1);
  EXPECT_EQ(response.done(0).completion().outcome().value().text(), "v");
  stream->WritesDone();
  Drain(*stream);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_P(RunRpc, ABadItemIsRejectedAndTheOthersGoOn) {
  Context context;
  auto stream = Open(context, Opening());
  pb::RunRequest request;
  const std::string promise = Promise();
  for (const auto& [tag, spec] : std::vector<std::pair<uint64_t, pb::FutureSpec>>{{1, CallOf("await", promise)},
                                                                                  {1, CallOf("echo", "twin")},
                                                                                  {2, CallOf("unheard.of")},
                                                                                  {3, CallOf("echo")}}) {
    pb::RunRequest::Item& item = *request.add_items();
    item.set_tag(tag);
    *item.mutable_future() = spec;
  }
  ASSERT_TRUE(stream->Write(request));
  std::map<uint64_t, pb::RunResponse::Done> done;
  pb::RunResponse response;
  while (done.size() < 3 && stream->Read(&response)) {
    for (const auto& each : response.done()) done.emplace(each.tag(), each);
  }
  EXPECT_EQ(done[1].rejected().reason(), pb::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(done[2].rejected().reason(), pb::ERROR_REASON_UNKNOWN_FUNCTION);
  EXPECT_EQ(done[3].completion().state(), pb::FUTURE_STATE_SUCCEEDED);
  SetResult(promise, "v");
  stream->WritesDone();
  EXPECT_EQ(Drain(*stream).size(), 1u);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_P(RunRpc, TagsAreCancelled) {
  Context context;
  auto stream = Open(context, Opening());
  ASSERT_TRUE(stream->Write(One(1, CallOf("hold"))));
  pb::RunRequest cancel;
  cancel.add_cancel_tags(1);
  cancel.add_cancel_tags(99);  // ignored
  ASSERT_TRUE(stream->Write(cancel));
  stream->WritesDone();
  const auto done = Drain(*stream);
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(done.count(1), 1u);
  EXPECT_EQ(done.at(1).completion().state(), pb::FUTURE_STATE_CANCELLED);
}

TEST_P(RunRpc, ASessionTakesItsItemsUpAgainAfterAReconnect) {
  const std::string promise = Promise();
  std::string id;
  {
    Context context;
    auto stream = Open(context, Opening("mine", true));
    ASSERT_TRUE(stream->Write(One(5, CallOf("await", promise))));
    pb::RunResponse response;
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.accepted_size(), 1);
    id = response.accepted(0).id();
    context.TryCancel();
    stream->Finish();
  }
  EXPECT_TRUE(Eventually([&] { return server_->server().live_calls() == 0; }));
  SetResult(promise, "v");
  Context context;
  auto stream = Open(context, Opening("mine", true));
  ASSERT_TRUE(stream->Write(One(5, CallOf("await", promise))));
  stream->WritesDone();
  const auto done = Drain(*stream);
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(done.count(5), 1u);
  EXPECT_EQ(done.at(5).completion().id(), id);
  EXPECT_EQ(done.at(5).completion().outcome().value().text(), "v");
}

TEST_P(RunRpc, WithASessionItemsAreKeptAsLongAsTheyAskedFor) {  // semantics 100
  const auto kept_seconds = [](const pb::Future& future) {
    return future.expire_time().seconds() - future.end_time().seconds();
  };
  Context context;
  auto stream = Open(context, Opening("keeps", true));
  pb::FutureSpec brief = CallOf("echo", "v");
  brief.mutable_options()->mutable_retention()->set_seconds(7);
  ASSERT_TRUE(stream->Write(One(1, CallOf("echo", "v"))));
  ASSERT_TRUE(stream->Write(One(2, brief)));
  stream->WritesDone();
  const auto done = Drain(*stream);
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(kept_seconds(Get(done.at(1).completion().id())), 3600);
  EXPECT_EQ(kept_seconds(Get(done.at(2).completion().id())), 7);
}

TEST_P(RunRpc, AReaderThatLagsIsNotReadFromUntilItCatchesUp) {
  Context context;
  auto stream = Open(context, Opening());
  constexpr int kItems = 200;
  base::Thread writer("client", [&] {
    for (int i = 0; i < kItems; ++i) {
      EXPECT_TRUE(stream->Write(One(static_cast<uint64_t>(i), CallOf("count", std::string(500'000, 'x')))));
    }
    stream->WritesDone();
  });
  // 100 MB in all; past 8 MiB of its own, and what the transport takes, the server reads no more of them.
  EXPECT_TRUE(Eventually([&] { return server_->counted() >= 16; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(server_->counted(), 150);
  const auto done = Drain(*stream);
  writer.Join();
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(done.size(), static_cast<size_t>(kItems));
  for (const auto& [tag, each] : done) EXPECT_EQ(each.completion().outcome().value().text().size(), 500'000u) << tag;
}

TEST_P(RunRpc, TheFirstMessageMustOpenAndNoOtherMay) {
  {
    Context context;
    auto stream = stub_->Run(&context);
    stream->Write(One(1, CallOf("echo")));
    pb::RunResponse response;
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_EQ(ReasonOf(stream->Finish()), "INVALID_FIELD");
  }
  Context context;
  auto stream = Open(context, Opening());
  stream->Write(Opening());
  pb::RunResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOf(stream->Finish()), "INVALID_FIELD");
}

class RunLimitsRpc : public RunRpc {
 protected:
  void SetUp() override {
    TestServerOptions options;
    options.loops = GetParam();
    options.limits.run_credits = 3;
    options.limits.streams_max = 1;
    StartServer(std::move(options));
  }
};
MUSTER_WITH_LOOPS(RunLimitsRpc);

TEST_P(RunLimitsRpc, MoreInFlightThanCreditsEndsTheStream) {
  Context context;
  uint32_t credits = 0;
  auto stream = Open(context, Opening(), &credits);
  EXPECT_EQ(credits, 3u);
  for (uint64_t tag = 0; tag < 4; ++tag) stream->Write(One(tag, CallOf("hold")));
  pb::RunResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "CREDITS_OVERRUN");
  EXPECT_TRUE(Eventually([&] { return server_->Stats().shards.calls == 0; }));
  EXPECT_EQ(server_->Stats().shards.pending, 3u);  // what was accepted lives on
}

TEST_P(RunLimitsRpc, OneStreamTooManyIsRefusedAndTheNextMayCome) {
  {
    Context context;
    auto stream = Open(context, Opening());
    Context second;
    pb::AsCompletedRequest request;
    request.mutable_set()->add_ids(Promise());
    auto reader = stub_->AsCompleted(&second, request);
    pb::AsCompletedResponse message;
    EXPECT_FALSE(reader->Read(&message));
    EXPECT_EQ(ReasonOf(reader->Finish()), "TOO_MANY_STREAMS");
    stream->WritesDone();
    Drain(*stream);
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_TRUE(Eventually([&] { return server_->server().live_calls() == 0; }));
  Context context;
  auto stream = Open(context, Opening());
  stream->WritesDone();
  Drain(*stream);
  EXPECT_TRUE(stream->Finish().ok());
}

// --- Clients that vanish, servers that stop -------------------------------------------------------------------------

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
        item.set_tag(static_cast<uint64_t>(batch * 200 + i));
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
  request.set_service("nobody");
  Context context;
  EXPECT_EQ(health->Check(&context, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace muster::test
