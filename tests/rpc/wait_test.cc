// Wait, gathers, shields and wait_for over the wire.
#include <utility>

#include "tests/rpc/rpc_test.h"

namespace muster::test {
namespace {

class WaitRpc : public RpcTest {};
MUSTER_WITH_LOOPS(WaitRpc);
class GatherRpc : public RpcTest {
 protected:
  struct Result {
    grpc::Status status;
    std::vector<pb::Outcome> outcomes;
    int slices = 0;
    uint32_t total = 0;
    bool failed = false;
    pb::Error error;
    uint32_t error_index = 0;
  };
  Result Gather(const pb::GatherRequest& request) {
    Result result;
    Context context;
    auto reader = stub_->Gather(&context, request);
    pb::GatherResponse slice;
    while (reader->Read(&slice)) {
      ++result.slices;
      result.total = slice.total();
      if (slice.has_error()) {
        result.failed = true;
        result.error = slice.error();
        result.error_index = slice.error_index();
      } else {
        EXPECT_EQ(slice.offset(), result.outcomes.size());
      }
      for (const pb::Outcome& outcome : slice.outcomes()) result.outcomes.push_back(outcome);
    }
    result.status = reader->Finish();
    return result;
  }
  Result Gather(const std::vector<std::string>& ids, bool return_exceptions = false) {
    pb::GatherRequest request;
    request.mutable_set();
    for (const std::string& id : ids) request.mutable_set()->add_ids(id);
    request.set_return_exceptions(return_exceptions);
    return Gather(request);
  }
  Result GatherById(const std::string& id) {
    pb::GatherRequest request;
    request.set_gather_id(id);
    return Gather(request);
  }
};
MUSTER_WITH_LOOPS(GatherRpc);
class CombinatorRpc : public GatherRpc {};
MUSTER_WITH_LOOPS(CombinatorRpc);

pb::WaitRequest WithTimeout(pb::WaitRequest request, int64_t milliseconds) {
  request.mutable_timeout()->set_seconds(milliseconds / 1000);
  request.mutable_timeout()->set_nanos(static_cast<int32_t>(milliseconds % 1000 * 1'000'000));
  return request;
}

TEST_P(WaitRpc, AnEmptySetIsRefused) {  // semantics 23
  const grpc::Status status = WaitStatus(WaitOn({}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "EMPTY_SET");
}

TEST_P(WaitRpc, AnUnknownReturnWhenIsRefused) {  // semantics 24
  pb::WaitRequest request = WaitOn({Promise()});
  request.set_return_when(static_cast<pb::ReturnWhen>(77));
  EXPECT_EQ(ReasonOf(WaitStatus(request)), "INVALID_RETURN_WHEN");
}

TEST_P(WaitRpc, WhatIsNoFutureIsRefused) {  // semantics 25
  EXPECT_EQ(ReasonOf(WaitStatus(WaitOn({"not an id"}))), "INVALID_ID");
  std::string other = Promise();
  pb::DeleteRequest request;
  Cancel(other);
  request.mutable_set()->add_ids(other);
  pb::DeleteResponse response;
  ASSERT_TRUE(Rpc(&Stub::Delete, request, &response).ok());
  const grpc::Status status = WaitStatus(WaitOn({Promise(), other}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(status.error_message().find(other), std::string::npos) << status.error_message();
}

TEST_P(WaitRpc, DuplicatesCollapse) {  // semantics 26
  const std::string id = Submit(CallOf("echo", "v"));
  EXPECT_EQ(Wait(WaitOn({id, id, id})).done_size(), 1);
}

TEST_P(WaitRpc, ATimeoutReturnsDoneAndPendingAndCancelsNothing) {  // semantics 27
  const std::string done = Submit(CallOf("echo", "v"));
  Done(done);
  const std::string pending = Promise();
  const pb::WaitResponse response = Wait(WithTimeout(WaitOn({done, pending}), 20));
  EXPECT_EQ(response.end(), pb::WAIT_END_TIMED_OUT);
  ASSERT_EQ(response.done_size(), 1);
  EXPECT_EQ(response.done(0).id(), done);
  ASSERT_EQ(response.pending_ids_size(), 1);
  EXPECT_EQ(response.pending_ids(0), pending);
  EXPECT_EQ(response.pending_count(), 1u);
  EXPECT_EQ(Get(pending).state(), pb::FUTURE_STATE_PENDING);
}

TEST_P(WaitRpc, TimeoutZeroIsAPoll) {  // semantics 28
  const std::string id = Promise();
  EXPECT_EQ(Wait(WithTimeout(WaitOn({id}), 0)).end(), pb::WAIT_END_TIMED_OUT);
  SetResult(id, "v");
  EXPECT_EQ(Wait(WithTimeout(WaitOn({id}), 0)).end(), pb::WAIT_END_SATISFIED);
}

TEST_P(WaitRpc, FirstCompletedMayReturnMoreThanOne) {  // semantics 29
  const std::string a = Promise(), b = Promise(), c = Promise();
  SetResult(a, "a");
  SetResult(b, "b");
  const pb::WaitResponse response = Wait(WaitOn({a, b, c}, pb::RETURN_WHEN_FIRST_COMPLETED));
  EXPECT_EQ(response.end(), pb::WAIT_END_SATISFIED);
  EXPECT_EQ(response.done_size(), 2);
  EXPECT_EQ(response.pending_count(), 1u);
}

TEST_P(WaitRpc, ACancelledFutureSatisfiesFirstCompletedAndNotFirstException) {  // semantics 30, 31
  const std::string a = Promise(), b = Promise();
  Cancel(a);
  EXPECT_EQ(Wait(WaitOn({a, b}, pb::RETURN_WHEN_FIRST_COMPLETED)).done_size(), 1);
  EXPECT_EQ(Wait(WithTimeout(WaitOn({a, b}, pb::RETURN_WHEN_FIRST_EXCEPTION), 0)).end(), pb::WAIT_END_TIMED_OUT);
}

TEST_P(WaitRpc, FirstExceptionWithoutOneIsAllCompleted) {  // semantics 32
  const std::string a = Submit(CallOf("echo", "a")), b = Submit(CallOf("echo", "b"));
  EXPECT_EQ(Wait(WaitOn({a, b}, pb::RETURN_WHEN_FIRST_EXCEPTION)).done_size(), 2);
}

TEST_P(WaitRpc, AnInputThatHasFailedReturnsAtOnceAndDoesNotRaise) {  // semantics 33, 34
  const std::string a = Promise(), b = Promise();
  SetException(b, "bad");
  const pb::WaitResponse response = Wait(WaitOn({a, b}, pb::RETURN_WHEN_FIRST_EXCEPTION));
  EXPECT_EQ(response.end(), pb::WAIT_END_SATISFIED);
  ASSERT_EQ(response.done_size(), 1);
  EXPECT_EQ(response.done(0).outcome().error().message(), "bad");
}

TEST_P(WaitRpc, AWaitIsWokenByASettleFromAnotherClient) {
  const std::string id = Promise();
  pb::WaitResponse response;
  base::Thread waiter("client", [&] { response = Wait(WaitOn({id})); });
  ASSERT_TRUE(Eventually([&] { return server_->Stats().shards.waits > 0; }));
  ASSERT_TRUE(SetResult(id, "late").ok());
  waiter.Join();
  EXPECT_EQ(response.done(0).outcome().value().text(), "late");
  EXPECT_TRUE(EventuallyNothingOpen());  // semantics 36
}

TEST_P(WaitRpc, WithoutOutcomesOnlyStatesCome) {
  pb::WaitRequest request = WaitOn({Submit(CallOf("echo", "v"))});
  request.set_view(pb::OUTCOME_VIEW_NONE);
  const pb::WaitResponse response = Wait(request);
  ASSERT_EQ(response.done_size(), 1);
  EXPECT_EQ(response.done(0).state(), pb::FUTURE_STATE_SUCCEEDED);
  EXPECT_FALSE(response.done(0).has_outcome());
  EXPECT_FALSE(response.done(0).outcome_omitted());
}

TEST_P(WaitRpc, OutcomesPastTheMessagesBudgetAreLeftOut) {
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(Submit(CallOf("echo", std::string(900'000, 'x'))));
  const pb::WaitResponse response = Wait(WaitOn(ids));
  ASSERT_EQ(response.done_size(), 6);
  int with = 0, without = 0;
  for (const pb::Completion& done : response.done()) ++(done.outcome_omitted() ? without : with);
  EXPECT_EQ(with, 4);
  EXPECT_EQ(without, 2);
}

TEST(WaitRpcLimits, TheServersCapOnAPollSaysPollAgain) {
  class Limited : public RpcTestBase {
   public:
    void TestBody() override {
      TestServerOptions options;
      options.limits.poll_max = std::chrono::milliseconds(10);
      StartServer(std::move(options));
      const std::string id = Promise();
      EXPECT_EQ(Wait(WaitOn({id})).end(), pb::WAIT_END_POLL_AGAIN);
      EXPECT_EQ(Wait(WithTimeout(WaitOn({id}), 60'000)).end(), pb::WAIT_END_POLL_AGAIN);
      EXPECT_EQ(Wait(WithTimeout(WaitOn({id}), 5)).end(), pb::WAIT_END_TIMED_OUT);
    }
  };
  Limited().TestBody();
}

// --- Gather ---------------------------------------------------------------------------------------------------------

TEST_P(GatherRpc, AnEmptySetIsAnEmptyList) {  // semantics 43
  const Result result = Gather(std::vector<std::string>());
  EXPECT_TRUE(result.status.ok()) << result.status.error_message();
  EXPECT_EQ(result.slices, 1);
  EXPECT_EQ(result.total, 0u);
  const Result by_id = GatherById(Submit(GatherOf({})));
  EXPECT_TRUE(by_id.status.ok()) << by_id.status.error_message();
  EXPECT_EQ(by_id.total, 0u);
}

TEST_P(GatherRpc, ResultsComeInInputOrderAndDuplicatesAtEveryPosition) {  // semantics 44, 45
  const std::string a = Promise(), b = Promise();
  SetResult(b, "b");
  SetResult(a, "a");
  for (const Result& result : {Gather({a, b, a}), GatherById(Submit(GatherOf({a, b, a})))}) {
    ASSERT_TRUE(result.status.ok()) << result.status.error_message();
    ASSERT_EQ(result.outcomes.size(), 3u);
    EXPECT_EQ(result.outcomes[0].value().text(), "a");
    EXPECT_EQ(result.outcomes[1].value().text(), "b");
    EXPECT_EQ(result.outcomes[2].value().text(), "a");
    EXPECT_EQ(result.total, 3u);
  }
}

TEST_P(GatherRpc, WhatIsNotDoneIsWaitedFor) {  // semantics 44, 45
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) ids.push_back(Promise());
  for (int i = 0; i < 6; ++i) SetResult(ids[i], std::to_string(i));
  base::Thread settler("settler", [&] {
    EXPECT_TRUE(Eventually([&] { return server_->Stats().shards.streams > 0; }));
    for (int i = 11; i >= 6; --i) SetResult(ids[i], std::to_string(i));
  });
  const Result result = Gather(ids);
  settler.Join();
  ASSERT_TRUE(result.status.ok()) << result.status.error_message();
  ASSERT_EQ(result.outcomes.size(), ids.size());
  for (int i = 0; i < 12; ++i) EXPECT_EQ(result.outcomes[i].value().text(), std::to_string(i));
}

TEST_P(GatherRpc, AFailureAmongWhatIsDoneComesThrough) {  // semantics 46
  const std::string a = Promise(), b = Promise();
  SetResult(a, "a");
  SetException(b, "bad");
  const Result result = Gather({a, b});
  ASSERT_TRUE(result.failed);
  EXPECT_EQ(result.error.message(), "bad");
  EXPECT_EQ(result.error_index, 1u);
}

TEST_P(GatherRpc, TheFirstExceptionComesThroughAndSiblingsGoOn) {  // semantics 46
  const std::string a = Promise(), b = Promise();
  SetException(b, "bad");
  for (const Result& result : {Gather({a, b}), GatherById(Submit(GatherOf({a, b})))}) {
    ASSERT_TRUE(result.status.ok()) << result.status.error_message();
    ASSERT_TRUE(result.failed);
    EXPECT_EQ(result.error.message(), "bad");
    EXPECT_EQ(result.error.origin_id(), b);
    EXPECT_EQ(result.error_index, 1u);
  }
  EXPECT_EQ(Get(a).state(), pb::FUTURE_STATE_PENDING);
}

TEST_P(GatherRpc, ReturnExceptionsGivesThemInPlace) {  // semantics 47
  const std::string a = Promise(), b = Promise(), c = Promise();
  SetException(a, "bad");
  Cancel(b, "gone");
  SetResult(c, "c");
  for (const Result& result : {Gather({a, b, c}, true), GatherById(Submit(GatherOf({a, b, c}, true)))}) {
    ASSERT_TRUE(result.status.ok()) << result.status.error_message();
    ASSERT_EQ(result.outcomes.size(), 3u);
    EXPECT_EQ(result.outcomes[0].error().message(), "bad");
    EXPECT_EQ(result.outcomes[1].cancelled().message(), "gone");
    EXPECT_EQ(result.outcomes[2].value().text(), "c");
  }
}

TEST_P(GatherRpc, ACancelledChildIsACancelledErrorThoughTheGatherIsNotCancelled) {  // semantics 48
  const std::string a = Promise(), b = Promise();
  Cancel(a, "gone");
  const Result result = Gather({a, b});
  ASSERT_TRUE(result.failed);
  EXPECT_EQ(result.error.kind(), pb::ERROR_KIND_CANCELLED);
  EXPECT_EQ(result.error_index, 0u);
  const std::string gather = Submit(GatherOf({a, b}));
  EXPECT_EQ(Done(gather).state(), pb::FUTURE_STATE_FAILED);
  EXPECT_EQ(Done(gather).outcome().error().kind(), pb::ERROR_KIND_CANCELLED);
  EXPECT_EQ(Get(b).state(), pb::FUTURE_STATE_PENDING);
}

TEST_P(GatherRpc, CancellingAGatherCancelsEveryUnfinishedChild) {  // semantics 49, 50
  const std::string done = Promise(), a = Promise(), b = Promise();
  SetResult(done, "v");
  const std::string gather = Submit(GatherOf({done, a, b}, true));
  EXPECT_EQ(Cancel(gather, "all"), pb::CANCEL_EFFECT_CANCELLED);  // its children end at once, so it does
  const pb::Completion completion = Done(gather);
  EXPECT_EQ(completion.state(), pb::FUTURE_STATE_FAILED);
  EXPECT_EQ(completion.outcome().error().kind(), pb::ERROR_KIND_CANCELLED);
  EXPECT_EQ(Done(a).state(), pb::FUTURE_STATE_CANCELLED);
  EXPECT_EQ(Done(b).state(), pb::FUTURE_STATE_CANCELLED);
  EXPECT_EQ(Done(done).state(), pb::FUTURE_STATE_SUCCEEDED);
}

TEST_P(GatherRpc, CancellingAGatherThatHasFailedTouchesNobody) {  // semantics 51
  const std::string a = Promise(), b = Promise();
  SetException(a, "bad");
  const std::string gather = Submit(GatherOf({a, b}));
  Done(gather);
  EXPECT_EQ(Cancel(gather), pb::CANCEL_EFFECT_ALREADY_DONE);
  EXPECT_EQ(Get(b).state(), pb::FUTURE_STATE_PENDING);
}

TEST_P(GatherRpc, AnUnknownMemberFailsTheCall) {  // semantics 52
  pb::GatherRequest request;
  request.set_namespace_("elsewhere");
  request.mutable_set()->add_ids(Promise());
  EXPECT_EQ(ReasonOf(Gather(request).status), "FUTURE_NOT_FOUND");
}

TEST_P(GatherRpc, WhatIsNoGatherCannotBeAwaitedAsOne) {
  EXPECT_EQ(ReasonOf(GatherById(Promise()).status), "NOT_A_GATHER");
  pb::GatherRequest request;
  EXPECT_EQ(ReasonOf(Gather(request).status), "INVALID_FIELD");
}

TEST_P(GatherRpc, ResultsOfAnySizeComeInSlices) {
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(Submit(CallOf("echo", std::string(900'000, static_cast<char>('a' + i)))));
  const Result result = Gather(ids);
  ASSERT_TRUE(result.status.ok()) << result.status.error_message();
  EXPECT_GE(result.slices, 3);
  ASSERT_EQ(result.outcomes.size(), 10u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(result.outcomes[i].value().text()[0], 'a' + i);
}

TEST_P(GatherRpc, AGroupIsGathered) {
  for (const char* text : {"a", "b"}) {
    pb::FutureSpec spec = CallOf("echo", text);
    spec.mutable_options()->set_group("g");
    Submit(spec);
  }
  pb::GatherRequest request;
  request.mutable_set()->set_group("g");
  EXPECT_EQ(Gather(request).outcomes.size(), 2u);
  request.mutable_set()->set_group("nobody");
  EXPECT_EQ(ReasonOf(Gather(request).status), "EMPTY_SET");
}

// --- Shield and wait_for --------------------------------------------------------------------------------------------

TEST_P(CombinatorRpc, CancellingAShieldLeavesTheInnerRunning) {  // semantics 53
  const std::string inner = Promise();
  const std::string shield = Submit(ShieldOf(inner));
  EXPECT_EQ(Cancel(shield), pb::CANCEL_EFFECT_CANCELLED);
  EXPECT_EQ(Done(shield).state(), pb::FUTURE_STATE_CANCELLED);
  EXPECT_EQ(Get(inner).state(), pb::FUTURE_STATE_PENDING);
}

TEST_P(CombinatorRpc, ACancelledInnerCancelsTheShield) {  // semantics 54
  const std::string inner = Promise();
  const std::string shield = Submit(ShieldOf(inner));
  Cancel(inner);
  EXPECT_EQ(Done(shield).state(), pb::FUTURE_STATE_CANCELLED);
}

TEST_P(CombinatorRpc, AShieldOfWhatIsDoneIsTheInner) {  // semantics 55
  const std::string inner = Promise();
  SetResult(inner, "v");
  EXPECT_EQ(Submit(ShieldOf(inner)), inner);
}

pb::FutureSpec WaitForWithin(const std::string& id, int milliseconds) {
  pb::FutureSpec spec = WaitForOf(id);
  spec.mutable_wait_for()->mutable_timeout()->set_nanos(milliseconds * 1'000'000);
  return spec;
}

TEST_P(CombinatorRpc, WaitForCancelsAndItsErrorsCauseIsTheCancellation) {  // semantics 56, 57
  const std::string inner = Submit(CallOf("hold"));
  const pb::Completion done = Done(Submit(WaitForWithin(inner, 20)));
  EXPECT_EQ(done.state(), pb::FUTURE_STATE_FAILED);
  EXPECT_EQ(done.outcome().error().kind(), pb::ERROR_KIND_TIMED_OUT);
  EXPECT_EQ(done.outcome().error().cause().kind(), pb::ERROR_KIND_CANCELLED);
  EXPECT_EQ(Get(inner).state(), pb::FUTURE_STATE_CANCELLED);  // it was waited for
}

TEST_P(CombinatorRpc, ASuppressedCancelThatReturnsAValueIsThatValue) {  // semantics 58
  const pb::Completion done = Done(Submit(WaitForWithin(Submit(CallOf("swallow")), 20)));
  EXPECT_EQ(done.outcome().value().text(), "swallowed");
}

TEST_P(CombinatorRpc, AnExceptionDuringTheCancellationReplacesTheTimeout) {  // semantics 59
  const pb::Completion done = Done(Submit(WaitForWithin(Submit(CallOf("fail.on.cancel")), 20)));
  EXPECT_EQ(done.outcome().error().type(), "CleanupError");
}

TEST_P(CombinatorRpc, ATimeoutOfZeroGivesWhatIsDoneAndNeverStartsWhatIsNot) {  // semantics 60
  const std::string ready = Submit(CallOf("echo", "v"));
  Done(ready);
  EXPECT_EQ(Done(Submit(WaitForWithin(ready, 0))).outcome().value().text(), "v");
  pb::FutureSpec spec = CallOf("count");
  spec.mutable_options()->mutable_delay()->set_seconds(60);
  const std::string unstarted = Submit(spec);
  EXPECT_EQ(Done(Submit(WaitForWithin(unstarted, 0))).outcome().error().kind(), pb::ERROR_KIND_TIMED_OUT);
  EXPECT_EQ(Get(unstarted).state(), pb::FUTURE_STATE_CANCELLED);
  EXPECT_EQ(server_->counted(), 0);
}

TEST_P(CombinatorRpc, WithoutATimeoutItIsUnboundedAndItsCancelReachesTheInner) {  // semantics 61, 62
  const std::string inner = Promise();
  const std::string outer = Submit(WaitForOf(inner));
  EXPECT_EQ(Get(outer).state(), pb::FUTURE_STATE_PENDING);
  Cancel(outer, "both");
  EXPECT_EQ(Done(outer).state(), pb::FUTURE_STATE_CANCELLED);
  EXPECT_EQ(Done(inner).state(), pb::FUTURE_STATE_CANCELLED);
}

}  // namespace
}  // namespace muster::test
