// AsCompleted over the wire.
#include <set>

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

TEST_P(AsCompletedRpc, ProgressInWordsThatCannotBeSentIsMended) {
  const std::string job = Submit(CallOf("mutter"));
  pb::AsCompletedRequest request = Over({job});
  request.mutable_progress_interval()->set_nanos(100'000'000);
  Context context;
  auto reader = stub_->AsCompleted(&context, request);
  pb::AsCompletedResponse message;
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.progress().at(job).message(), "h\xEF\xBF\xBD");
  Cancel(job);
  while (message.end() == pb::WAIT_END_UNSPECIFIED) ASSERT_TRUE(reader->Read(&message));
  EXPECT_TRUE(reader->Finish().ok());
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

}  // namespace
}  // namespace muster::test
