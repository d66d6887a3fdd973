#include "muster/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cpp/detail/backoff.h"
#include "muster/options.h"
#include "muster/status.h"

namespace muster::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ValuesTest, JsonGoesThereAndBack) {
  const auto payload = FromJson(R"({"a": [1, 2.5, null, true], "b": {"c": "d"}})");
  ASSERT_TRUE(payload.ok()) << payload.status();
  EXPECT_EQ(payload->json().struct_value().fields().at("a").list_value().values_size(), 4);
  const auto again = FromJson(*JsonText(*payload));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->json().struct_value().fields().at("b").struct_value().fields().at("c").string_value(), "d");
  EXPECT_FALSE(FromJson("{").ok());
  EXPECT_EQ(*JsonText(FromText("x")), "\"x\"");
  EXPECT_EQ(*JsonText(Payload()), "null");
  EXPECT_FALSE(JsonText(FromBytes("x")).ok());
}

TEST(ValuesTest, AJobsErrorIsAStatusThatGivesItBack) {
  Outcome outcome;
  outcome.mutable_error()->set_kind(v1::ERROR_KIND_TIMED_OUT);
  outcome.mutable_error()->set_type("Late");
  outcome.mutable_error()->set_message("after 1 s");
  const auto value = ValueOf(outcome);
  EXPECT_EQ(value.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(std::string(value.status().message()), "Late: after 1 s");
  ASSERT_TRUE(ErrorOf(value.status()).has_value());
  EXPECT_EQ(ErrorOf(value.status())->type(), "Late");
  EXPECT_FALSE(ErrorOf(absl::UnknownError("of an RPC")).has_value());

  outcome.mutable_cancelled()->set_message("enough");
  EXPECT_EQ(ValueOf(outcome).status().code(), absl::StatusCode::kCancelled);
  outcome.mutable_gathered();
  EXPECT_EQ(ValueOf(outcome).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(OptionsTest, WhatIsEmptyIsAbsent) {
  EXPECT_FALSE(CallOf("echo", Payload()).has_options());
  JobOptions options;
  options.delay = milliseconds(1500);
  options.labels["k"] = "v";
  const FutureSpec spec = CallOf("echo", Payload(), options);
  EXPECT_EQ(spec.options().delay().seconds(), 1);
  EXPECT_EQ(spec.options().delay().nanos(), 500'000'000);
  EXPECT_FALSE(spec.options().has_run_timeout());
  EXPECT_EQ(WaitForOf("a", milliseconds(-500)).wait_for().timeout().nanos(), -500'000'000);
}

class BackoffTest : public testing::Test {
 protected:
  BackoffTest() {
    policy_.initial = milliseconds(100);
    policy_.pause_max = milliseconds(300);
    policy_.jitter = 0;
    policy_.attempts_max = 4;
    policy_.outage_max = seconds(60);
  }
  RetryPolicy policy_;
  base::Instant now_{seconds(1000)};
  const absl::Status away_ = absl::UnavailableError("away");
};

TEST_F(BackoffTest, PausesDoubleUpToTheirMaximumAndEnd) {
  detail::Backoff backoff(policy_);
  EXPECT_EQ(backoff.Next(away_, now_), milliseconds(100));
  EXPECT_EQ(backoff.Next(away_, now_), milliseconds(200));
  EXPECT_EQ(backoff.Next(away_, now_), milliseconds(300));
  EXPECT_EQ(backoff.Next(away_, now_), std::nullopt);
}

TEST_F(BackoffTest, OnlyUnavailableIsTriedAgain) {
  detail::Backoff backoff(policy_);
  EXPECT_EQ(backoff.Next(absl::ResourceExhaustedError("full"), now_), std::nullopt);
  EXPECT_EQ(backoff.Next(absl::DeadlineExceededError("late"), now_), std::nullopt);
}

TEST_F(BackoffTest, JitterStaysWithinItsBounds) {
  policy_.jitter = 0.5;
  for (int i = 0; i < 100; ++i) {
    detail::Backoff backoff(policy_);
    const auto pause = backoff.Next(away_, now_);
    ASSERT_TRUE(pause);
    EXPECT_GE(*pause, milliseconds(50));
    EXPECT_LE(*pause, milliseconds(150));
  }
}

TEST_F(BackoffTest, TheServersDelayIsHonoured) {
  v1::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(2);
  v1::RpcStatus details;
  auto* any = details.add_details();
  any->set_type_url("type.googleapis.com/google.rpc.RetryInfo");
  any->set_value(retry.SerializeAsString());
  const absl::Status draining =
      FromRpcStatus(static_cast<int>(absl::StatusCode::kUnavailable), "draining", details.SerializeAsString());
  detail::Backoff backoff(policy_);
  EXPECT_EQ(backoff.Next(draining, now_), seconds(2));
}

TEST_F(BackoffTest, WhatWasAcceptedSitsOutAnOutage) {
  detail::Backoff backoff(policy_);
  backoff.Accepted();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(backoff.Next(away_, now_));
  now_ += seconds(61);
  EXPECT_EQ(backoff.Next(away_, now_), std::nullopt);
  backoff.Accepted();
  EXPECT_TRUE(backoff.Next(away_, now_));
}

}  // namespace
}  // namespace muster::client
