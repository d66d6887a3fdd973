// Run over the wire: items, credits, sessions, refusals.
#include <map>
#include <utility>

#include "tests/rpc/run_rpc.h"

namespace muster::test {
namespace {

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

// Both are in one message, which the client could not read if it held what the function returned.
TEST_P(RunRpc, AnOutcomeThatCannotBeSentSpoilsNoOther) {
  Context context;
  auto stream = Open(context, Opening());
  pb::RunRequest request = One(1, CallOf("garbled"));
  request.add_items()->set_tag(2);
  *request.mutable_items(1)->mutable_future() = CallOf("echo", "caf\xC3\xA9");
  ASSERT_TRUE(stream->Write(request));
  stream->WritesDone();
  auto done = Drain(*stream);
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(done[1].completion().state(), pb::FUTURE_STATE_FAILED);
  EXPECT_EQ(done[1].completion().outcome().error().type(), "InvalidOutcome");
  EXPECT_EQ(done[1].completion().outcome().error().kind(), pb::ERROR_KIND_APPLICATION);
  EXPECT_EQ(done[2].completion().outcome().value().text(), "caf\xC3\xA9");
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

}  // namespace
}  // namespace muster::test
