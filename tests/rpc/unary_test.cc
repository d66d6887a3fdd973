// Unary RPCs over the wire: submit, call, get, list, cancel, delete, promises, info.
#include <algorithm>

#include <grpcpp/generic/generic_stub.h>

#include "tests/rpc/rpc_test.h"

namespace muster::test {
namespace {

class Unary : public RpcTest {};
MUSTER_WITH_LOOPS(Unary);
class UnaryInManualTime : public ManualTimeRpcTest {};
MUSTER_WITH_LOOPS(UnaryInManualTime);

TEST_P(Unary, ASubmittedJobRunsAndItsValueCanBeWaitedFor) {  // semantics 21
  const std::string id = Submit(CallOf("echo", "hello"));
  const pb::WaitResponse response = Wait(WaitOn({id}));
  EXPECT_EQ(response.end(), pb::WAIT_END_SATISFIED);
  ASSERT_EQ(response.done_size(), 1);
  EXPECT_EQ(response.done(0).id(), id);
  EXPECT_EQ(response.done(0).state(), pb::FUTURE_STATE_SUCCEEDED);
  EXPECT_EQ(response.done(0).outcome().value().text(), "hello");
  EXPECT_EQ(response.done(0).attempt(), 1u);
}

TEST_P(Unary, PayloadsOfEveryKindComeBackAsTheyWere) {
  pb::FutureSpec spec = CallOf("echo");
  pb::Payload& input = *spec.mutable_call()->mutable_input();
  input.set_content_type("application/x-test");
  (*input.mutable_metadata())["key"] = "value";
  input.set_data(std::string("\0\xff", 2));
  EXPECT_EQ(Done(Submit(spec)).outcome().value().SerializeAsString(), input.SerializeAsString());
  auto& fields = *input.mutable_json()->mutable_struct_value()->mutable_fields();
  fields["list"].mutable_list_value()->add_values()->set_number_value(1.5);
  EXPECT_EQ(Done(Submit(spec)).outcome().value().SerializeAsString(), input.SerializeAsString());
  input.Clear();
  EXPECT_EQ(Done(Submit(spec)).outcome().value().SerializeAsString(), "");
}

TEST_P(Unary, CallGivesTheOutcomeAndDropsTheFuture) {
  pb::CallRequest request;
  *request.mutable_future() = CallOf("upper", "abc");
  pb::CallResponse response;
  const grpc::Status status = Rpc(&Stub::Call, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.completion().outcome().value().text(), "ABC");
  EXPECT_TRUE(Eventually([&] { return server_->Stats().shards.futures == 0; }));
}

TEST_P(Unary, ACallThatFailsIsAnOkRpcWithAnError) {
  pb::CallRequest request;
  *request.mutable_future() = CallOf("fail", "no such thing");
  pb::CallResponse response;
  const grpc::Status status = Rpc(&Stub::Call, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.completion().state(), pb::FUTURE_STATE_FAILED);
  EXPECT_EQ(response.completion().outcome().error().kind(), pb::ERROR_KIND_APPLICATION);
  EXPECT_EQ(response.completion().outcome().error().type(), "ValueError");
  EXPECT_EQ(response.completion().outcome().error().message(), "no such thing");
}

TEST_P(Unary, TheSameRequestIdGivesTheSameFuture) {  // semantics 102
  pb::SubmitRequest request;
  *request.mutable_future() = CallOf("echo", "a");
  request.mutable_future()->mutable_options()->set_request_id("r1");
  pb::SubmitResponse first, second;
  ASSERT_TRUE(Rpc(&Stub::Submit, request, &first).ok());
  ASSERT_TRUE(Rpc(&Stub::Submit, request, &second).ok());
  EXPECT_EQ(first.id(), second.id());
  EXPECT_FALSE(first.deduplicated());
  EXPECT_TRUE(second.deduplicated());
  request.mutable_future()->mutable_call()->mutable_input()->set_text("b");
  const grpc::Status status = Rpc(&Stub::Submit, request, &second);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(ReasonOf(status), "REQUEST_ID_REUSED");
}

TEST_P(Unary, ABatchReportsItemByItem) {
  pb::SubmitBatchRequest request;
  *request.add_futures() = CallOf("echo", "0");
  *request.add_futures() = CallOf("nothing.like.it");
  *request.add_futures() = CallOf("echo", "2");
  request.mutable_futures(2)->mutable_options()->set_name("own");
  request.mutable_defaults()->set_name("default");
  pb::SubmitBatchResponse response;
  ASSERT_TRUE(Rpc(&Stub::SubmitBatch, request, &response).ok());
  ASSERT_EQ(response.items_size(), 3);
  EXPECT_EQ(response.items(1).status().code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
  EXPECT_EQ(response.items(1).status().reason(), pb::ERROR_REASON_UNKNOWN_FUNCTION);
  EXPECT_EQ(response.items(1).id(), "");
  EXPECT_EQ(Get(response.items(0).id()).name(), "default");
  EXPECT_EQ(Get(response.items(2).id()).name(), "own");
  EXPECT_EQ(Done(response.items(2).id()).outcome().value().text(), "2");
}

TEST_P(Unary, ALargeBatchIsOneRoundTrip) {
  pb::SubmitBatchRequest request;
  for (int i = 0; i < 5000; ++i) *request.add_futures() = CallOf("echo", std::to_string(i));
  pb::SubmitBatchResponse response;
  ASSERT_TRUE(Rpc(&Stub::SubmitBatch, request, &response).ok());
  ASSERT_EQ(response.items_size(), 5000);
  pb::WaitRequest wait;
  for (const auto& item : response.items()) wait.mutable_set()->add_ids(item.id());
  EXPECT_EQ(Wait(wait).done_size(), 5000);
}

TEST_P(Unary, APendingFutureHasNoOutcome) {  // semantics 1
  const pb::Future future = Get(Promise());
  EXPECT_EQ(future.state(), pb::FUTURE_STATE_PENDING);
  EXPECT_FALSE(future.has_outcome());
  EXPECT_TRUE(future.has_create_time());
  EXPECT_FALSE(future.has_end_time());
}

TEST_P(Unary, ADonePromiseCannotBeSettledAgain) {  // semantics 2
  const std::string id = Promise();
  ASSERT_TRUE(SetResult(id, "first").ok());
  for (const grpc::Status& status : {SetResult(id, "second"), SetException(id, "third")}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_EQ(ReasonOf(status), "ALREADY_DONE");
  }
  EXPECT_EQ(Done(id).outcome().value().text(), "first");
}

TEST_P(Unary, SettlingWithARequestIdCanBeRepeated) {
  pb::SetResultRequest request;
  request.set_id(Promise());
  request.mutable_value()->set_text("v");
  request.set_request_id("once");
  pb::SetResultResponse response;
  ASSERT_TRUE(Rpc(&Stub::SetResult, request, &response).ok());
  ASSERT_TRUE(Rpc(&Stub::SetResult, request, &response).ok());
  EXPECT_EQ(response.state(), pb::FUTURE_STATE_SUCCEEDED);
}

TEST_P(Unary, APromisesExceptionReachesItsWaiters) {
  const std::string id = Promise();
  ASSERT_TRUE(SetException(id, "bad").ok());
  const pb::Completion done = Done(id);
  EXPECT_EQ(done.state(), pb::FUTURE_STATE_FAILED);
  EXPECT_EQ(done.outcome().error().kind(), pb::ERROR_KIND_APPLICATION);
  EXPECT_EQ(done.outcome().error().message(), "bad");
}

TEST_P(Unary, ACancelledPromiseIsCancelledAtOnceWithItsMessage) {  // semantics 3, 5, 8
  const std::string id = Promise();
  EXPECT_EQ(Cancel(id, "enough"), pb::CANCEL_EFFECT_CANCELLED);
  const pb::Future future = Get(id);
  EXPECT_EQ(future.state(), pb::FUTURE_STATE_CANCELLED);
  EXPECT_EQ(future.outcome().cancelled().message(), "enough");
}

TEST_P(Unary, CancellingWhatIsDoneChangesNothing) {  // semantics 4
  const std::string id = Submit(CallOf("echo", "v"));
  Done(id);
  EXPECT_EQ(Cancel(id), pb::CANCEL_EFFECT_ALREADY_DONE);
  EXPECT_EQ(Done(id).outcome().value().text(), "v");
}

TEST_P(Unary, CancellingARunningJobIsARequest) {  // semantics 5
  const std::string id = Submit(CallOf("hold"));
  ASSERT_TRUE(EventuallyIn(id, pb::FUTURE_STATE_RUNNING));
  EXPECT_EQ(Cancel(id, "stop"), pb::CANCEL_EFFECT_REQUESTED);
  const pb::Completion done = Done(id);
  EXPECT_EQ(done.state(), pb::FUTURE_STATE_CANCELLED);
  EXPECT_EQ(done.outcome().cancelled().message(), "stop");
}

TEST_P(Unary, ABodyMaySuppressItsCancel) {  // semantics 6
  const std::string id = Submit(CallOf("swallow"));
  ASSERT_TRUE(EventuallyIn(id, pb::FUTURE_STATE_RUNNING));
  EXPECT_EQ(Cancel(id), pb::CANCEL_EFFECT_REQUESTED);
  EXPECT_EQ(Done(id).outcome().value().text(), "swallowed");
  EXPECT_EQ(Get(id).cancelling(), 1u);
}

TEST_P(Unary, AJobCancelledBeforeItStartsNeverRuns) {  // semantics 7
  pb::FutureSpec spec = CallOf("count");
  spec.mutable_options()->mutable_delay()->set_seconds(3600);
  const std::string id = Submit(spec);
  EXPECT_EQ(Get(id).state(), pb::FUTURE_STATE_DELAYED);
  EXPECT_EQ(Cancel(id), pb::CANCEL_EFFECT_CANCELLED);
  EXPECT_EQ(Get(id).state(), pb::FUTURE_STATE_CANCELLED);
  EXPECT_EQ(server_->counted(), 0);
}

TEST_P(Unary, ABodyThatRaisesCancelledEndsCancelled) {  // semantics 11
  EXPECT_EQ(Done(Submit(CallOf("cancelled", "by itself"))).state(), pb::FUTURE_STATE_CANCELLED);
}

TEST_P(Unary, CancellingAJobCancelsWhatItAwaits) {  // semantics 12
  const std::string promise = Promise();
  const std::string job = Submit(CallOf("await", promise));
  ASSERT_TRUE(EventuallyIn(job, pb::FUTURE_STATE_RUNNING));
  ASSERT_TRUE(Eventually([&] { return server_->Stats().shards.links > 0; }));
  Cancel(job, "both");
  EXPECT_EQ(Done(job).state(), pb::FUTURE_STATE_CANCELLED);
  EXPECT_EQ(Done(promise).outcome().cancelled().message(), "both");
}

TEST_P(Unary, AJobCannotBeSettledFromOutside) {  // semantics 13
  const std::string id = Submit(CallOf("hold"));
  const grpc::Status status = SetResult(id, "v");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(status), "NOT_A_PROMISE");
  Cancel(id);
}

TEST_P(Unary, NamesAreKeptAndHaveADefault) {  // semantics 14
  EXPECT_EQ(Get(Submit(CallOf("echo"))).name().substr(0, 5), "Task-");
  pb::FutureSpec spec = CallOf("echo");
  spec.mutable_options()->set_name("any näme");
  EXPECT_EQ(Get(Submit(spec)).name(), "any näme");
}

TEST_P(Unary, ListingLiveFuturesLeavesOutDoneOnes) {  // semantics 22
  const std::string live = Promise();
  Done(Submit(CallOf("echo")));
  pb::ListRequest request;
  for (const auto state : {pb::FUTURE_STATE_PENDING, pb::FUTURE_STATE_QUEUED, pb::FUTURE_STATE_RUNNING}) {
    request.add_states(state);
  }
  pb::ListResponse response;
  ASSERT_TRUE(Rpc(&Stub::List, request, &response).ok());
  ASSERT_EQ(response.futures_size(), 1);
  EXPECT_EQ(response.futures(0).id(), live);
}

TEST_P(Unary, ListFiltersAndPages) {
  std::vector<std::string> wanted;
  for (int i = 0; i < 7; ++i) {
    pb::FutureSpec spec = CallOf("echo");
    spec.mutable_options()->set_group("g");
    (*spec.mutable_options()->mutable_labels())["n"] = std::to_string(i % 2);
    const std::string id = Submit(spec);
    if (i % 2 == 0) wanted.push_back(id);
  }
  pb::ListRequest request;
  request.set_group("g");
  request.set_function("echo");
  (*request.mutable_labels())["n"] = "0";
  request.set_page_size(1);
  std::vector<std::string> found;
  for (int pages = 0; pages < 200; ++pages) {
    pb::ListResponse response;
    ASSERT_TRUE(Rpc(&Stub::List, request, &response).ok());
    for (const pb::Future& future : response.futures()) {
      found.push_back(future.id());
      EXPECT_EQ(future.labels().at("n"), "0");
      EXPECT_FALSE(future.has_outcome());
    }
    if (response.next_page_token().empty()) break;
    request.set_page_token(response.next_page_token());
  }
  std::sort(found.begin(), found.end());
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(found, wanted);
  request.set_page_token("made up");
  pb::ListResponse response;
  EXPECT_EQ(ReasonOf(Rpc(&Stub::List, request, &response)), "INVALID_PAGE_TOKEN");
}

TEST_P(Unary, FuturesOfOneNamespaceAreUnknownInAnother) {  // semantics 52
  const std::string id = Promise();
  pb::GetRequest request;
  request.set_namespace_("elsewhere");
  request.set_id(id);
  pb::GetResponse response;
  const grpc::Status status = Rpc(&Stub::Get, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(status), "FUTURE_NOT_FOUND");
}

TEST_P(Unary, CancelAndDeleteReportWhatTheyDidNotFind) {
  const std::string promise = Promise();
  const std::string done = Submit(CallOf("echo"));
  Done(done);
  const std::string gone = Submit(CallOf("echo"));
  Done(gone);
  pb::DeleteRequest request;
  request.mutable_set()->add_ids(gone);
  pb::DeleteResponse response;
  ASSERT_TRUE(Rpc(&Stub::Delete, request, &response).ok());
  EXPECT_EQ(response.deleted_count(), 1u);
  request.mutable_set()->add_ids(promise);
  request.mutable_set()->add_ids(done);
  ASSERT_TRUE(Rpc(&Stub::Delete, request, &response).ok());
  EXPECT_EQ(response.deleted_count(), 1u);
  ASSERT_EQ(response.failures_size(), 2);
  EXPECT_EQ(response.failures(0).id(), gone);
  EXPECT_EQ(response.failures(0).status().reason(), pb::ERROR_REASON_FUTURE_EXPIRED);
  EXPECT_EQ(response.failures(1).id(), promise);
  EXPECT_EQ(response.failures(1).status().reason(), pb::ERROR_REASON_NOT_DONE);

  pb::CancelRequest cancel;
  for (const std::string& id : {gone, promise}) cancel.mutable_set()->add_ids(id);
  pb::CancelResponse effects;
  ASSERT_TRUE(Rpc(&Stub::Cancel, cancel, &effects).ok());
  ASSERT_EQ(effects.items_size(), 2);
  EXPECT_EQ(effects.items(0).effect(), pb::CANCEL_EFFECT_NOT_FOUND);
  EXPECT_EQ(effects.items(1).effect(), pb::CANCEL_EFFECT_CANCELLED);
  EXPECT_EQ(effects.requested_count(), 1u);
}

TEST_P(Unary, AGroupIsWaitedForAndCancelledByItsName) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    pb::CreatePromiseRequest request;
    request.mutable_options()->set_group("g");
    pb::CreatePromiseResponse response;
    ASSERT_TRUE(Rpc(&Stub::CreatePromise, request, &response).ok());
    ids.push_back(response.id());
  }
  pb::CancelRequest cancel;
  cancel.mutable_set()->set_group("g");
  pb::CancelResponse effects;
  ASSERT_TRUE(Rpc(&Stub::Cancel, cancel, &effects).ok());
  EXPECT_EQ(effects.items_size(), 3);
  EXPECT_EQ(effects.requested_count(), 3u);
  pb::WaitRequest wait;
  wait.mutable_set()->set_group("g");
  EXPECT_EQ(Wait(wait).done_size(), 3);
}

TEST_P(Unary, GetServerInfoTellsLimits) {
  pb::GetServerInfoResponse response;
  const grpc::Status status = Rpc(&Stub::GetServerInfo, pb::GetServerInfoRequest(), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.version(), "1.2.3");
  EXPECT_EQ(response.limits().set_max(), 100'000u);
  EXPECT_EQ(response.limits().poll_max().seconds(), 300);
  EXPECT_EQ(response.durability(), pb::DURABILITY_NONE);
  EXPECT_FALSE(response.manual_clock());
}

TEST_P(Unary, ListFunctionsPagesByName) {
  pb::ListFunctionsRequest request;
  request.set_page_size(4);
  std::vector<std::string> names;
  do {
    pb::ListFunctionsResponse response;
    ASSERT_TRUE(Rpc(&Stub::ListFunctions, request, &response).ok());
    EXPECT_LE(response.functions_size(), 4);
    for (const pb::Function& function : response.functions()) names.push_back(function.name());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::count(names.begin(), names.end(), "echo"), 1);
  EXPECT_EQ(names.size(), 13u);
}

TEST_P(Unary, AnOutcomeThatNestsTooDeepForParsersIsLeftOut) {
  pb::SetResultRequest request;
  request.set_id(Promise());
  google::protobuf::Value* at = request.mutable_value()->mutable_json();
  for (int i = 0; i < 49; ++i) at = at->mutable_list_value()->add_values();
  at->set_bool_value(true);
  pb::SetResultResponse response;
  const grpc::Status status = Rpc(&Stub::SetResult, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const pb::Future future = Get(request.id());
  EXPECT_EQ(future.state(), pb::FUTURE_STATE_SUCCEEDED);
  EXPECT_TRUE(future.outcome_omitted());
}

TEST_P(Unary, AnAnswerFitsEvenWhenEveryItemOfALargeBatchIsRefused) {
  pb::SubmitBatchRequest request;
  for (int i = 0; i < 10'000; ++i) {
    *request.add_futures() = CallOf(std::string(100, 'f'));
  }
  pb::SubmitBatchResponse response;
  const grpc::Status status = Rpc(&Stub::SubmitBatch, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.items_size(), 10'000);
  for (const auto& item : response.items()) EXPECT_EQ(item.status().reason(), pb::ERROR_REASON_UNKNOWN_FUNCTION);
  *request.add_futures() = CallOf("echo");
  EXPECT_EQ(ReasonOf(Rpc(&Stub::SubmitBatch, request, &response)), "INVALID_FIELD");
}

TEST_P(Unary, ASecondServerOnThePortIsRefusedAndEndsCleanly) {
  grpc_front::ServerOptions options;
  options.listen = server_->target();
  grpc_front::Server second(std::move(options));
  EXPECT_EQ(second.Start(server_->service()).code(), absl::StatusCode::kUnavailable);
}

TEST_P(Unary, ReflectionTellsTheServices) {
  grpc::GenericStub generic(channel_);
  grpc::CompletionQueue queue;
  Context context;
  auto call = generic.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  const grpc::Slice list_services("\x3a\x00", 2);  // field 7, an empty text
  const grpc::ByteBuffer request(&list_services, 1);
  call->Write(request, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  grpc::Slice bytes;
  ASSERT_TRUE(answer.DumpToSingleSlice(&bytes).ok());
  const std::string text(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  EXPECT_NE(text.find("muster.v1.FutureService"), std::string::npos);
  EXPECT_NE(text.find("grpc.health.v1.Health"), std::string::npos);
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  queue.Shutdown();
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

TEST_P(UnaryInManualTime, AResultIsKeptForItsRetentionAndThenCalledExpired) {  // semantics 100
  pb::FutureSpec spec = CallOf("echo", "v");
  spec.mutable_options()->mutable_retention()->set_seconds(10);
  const std::string id = Submit(spec);
  Done(id);
  server_->Advance(std::chrono::seconds(9));
  EXPECT_EQ(Get(id).outcome().value().text(), "v");
  server_->Advance(std::chrono::seconds(2));
  pb::GetRequest request;
  request.set_id(id);
  pb::GetResponse response;
  const grpc::Status status = Rpc(&Stub::Get, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(status), "FUTURE_EXPIRED");
}

TEST_P(UnaryInManualTime, QueueingAndRunningHaveClocksOfTheirOwn) {  // semantics 99
  pb::FutureSpec spec = CallOf("hold");
  spec.mutable_options()->mutable_delay()->set_seconds(60);
  spec.mutable_options()->mutable_run_timeout()->set_seconds(5);
  const std::string id = Submit(spec);
  server_->Advance(std::chrono::seconds(59));
  EXPECT_EQ(Get(id).state(), pb::FUTURE_STATE_DELAYED);
  server_->Advance(std::chrono::seconds(5));
  EXPECT_EQ(Get(id).state(), pb::FUTURE_STATE_RUNNING);
  server_->Advance(std::chrono::seconds(2));
  const pb::Future future = Get(id);
  EXPECT_EQ(future.state(), pb::FUTURE_STATE_FAILED);
  EXPECT_EQ(future.outcome().error().kind(), pb::ERROR_KIND_TIMED_OUT);
}

}  // namespace
}  // namespace muster::test
