#include "service/grpc/status.h"

#include <gtest/gtest.h>

#include "muster/v1/error.pb.h"
#include "service/base/reason.h"

namespace muster::grpc_front {
namespace {

TEST(ToGrpc, OkStaysOk) {
  const grpc::Status status = ToGrpc(absl::OkStatus());
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.error_details(), "");
}

TEST(ToGrpc, TheDetailsRepeatCodeAndMessage) {
  const grpc::Status status = ToGrpc(base::Refuse(base::Reason::kQueueFull, "full", "some.field"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "full");
  v1::RpcStatus wire;
  ASSERT_TRUE(wire.ParseFromString(status.error_details()));
  EXPECT_EQ(wire.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(wire.message(), status.error_message());
  EXPECT_GE(wire.details_size(), 2);
}

}  // namespace
}  // namespace muster::grpc_front
