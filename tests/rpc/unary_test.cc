// Unary RPCs over the wire: submit, wait, get, list, cancel, delete, promises, info.
#include "tests/rpc/rpc_test.h"

namespace muster::test {
namespace {

class Unary : public RpcTest {};
MUSTER_WITH_LOOPS(Unary);

TEST_P(Unary, ASubmittedJobRunsAndItsValueCanBeWaitedFor) {
  const std::string id = Submit(CallOf("echo", "hello"));
  const pb::WaitResponse response = Wait(WaitOn({id}));
  EXPECT_EQ(response.end(), pb::WAIT_END_SATISFIED);
  ASSERT_EQ(response.done_size(), 1);
  EXPECT_EQ(response.done(0).id(), id);
  EXPECT_EQ(response.done(0).state(), pb::FUTURE_STATE_SUCCEEDED);
  EXPECT_EQ(response.done(0).outcome().value().text(), "hello");
  EXPECT_EQ(response.done(0).attempt(), 1u);
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

TEST_P(Unary, GetServerInfoTellsLimits) {
  pb::GetServerInfoResponse response;
  const grpc::Status status = Rpc(&Stub::GetServerInfo, pb::GetServerInfoRequest(), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.version(), "1.2.3");
  EXPECT_EQ(response.limits().set_max(), 100'000u);
  EXPECT_EQ(response.durability(), pb::DURABILITY_NONE);
}

}  // namespace
}  // namespace muster::test
