#include "service/jobs/error.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/jobs/error_codec.h"
#include "service/jobs/json.h"

namespace muster::jobs {
namespace {

core::FutureId SomeId() {
  core::FutureId id;
  id.sequence = 7;
  id.incarnation = 2;
  id.slot = 5;
  id.shard = 3;
  id.ns_tag = 9;
  return id;
}

core::Error FullError() {
  core::Error cause;
  cause.kind = core::ErrorKind::kCancelled;
  cause.type = "CancelledError";
  cause.message = "enough";
  core::Error error;
  error.kind = core::ErrorKind::kTimedOut;
  error.type = "TimeoutError";
  error.message = std::string("late\0and loud", 13);
  error.details = JsonPayload({{"after_seconds", 3}});
  error.cause = std::make_shared<const core::Error>(cause);
  error.origin = SomeId();
  return error;
}

void ExpectSame(const core::Error& a, const core::Error& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.message, b.message);
  EXPECT_EQ(a.origin, b.origin);
  EXPECT_EQ(a.details.encoding(), b.details.encoding());
  EXPECT_EQ(a.details.body(), b.details.body());
  ASSERT_EQ(a.cause == nullptr, b.cause == nullptr);
  if (a.cause) ExpectSame(*a.cause, *b.cause);
}

TEST(ErrorCodec, KeepsEverything) {
  const core::Error error = FullError();
  const std::optional<core::Error> decoded = DecodeError(EncodeError(error));
  ASSERT_TRUE(decoded.has_value());
  ExpectSame(*decoded, error);
}

TEST(ErrorCodec, CutsAChainOfCausesAtEight) {
  auto chain = std::make_shared<const core::Error>();
  for (int i = 0; i < 100; ++i) {
    core::Error next;
    next.cause = chain;
    chain = std::make_shared<const core::Error>(next);
  }
  const std::optional<core::Error> decoded = DecodeError(EncodeError(*chain));
  ASSERT_TRUE(decoded.has_value());
  int depth = 0;
  for (const core::Error* at = decoded->cause.get(); at != nullptr; at = at->cause.get()) ++depth;
  EXPECT_EQ(depth, 8);
}

TEST(ErrorCodec, RefusesEveryCutOffForm) {
  const std::string bytes = EncodeError(FullError());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeError(bytes.substr(0, size)).has_value()) << size;
  }
}

TEST(ToOutcome, AValueIsAValue) {
  const core::OutcomeRef outcome = ToOutcome(core::Payload::Text("x"));
  EXPECT_EQ(outcome->kind, core::Outcome::Kind::kValue);
  EXPECT_EQ(outcome->value.body(), "x");
}

TEST(ToOutcome, AFailureKeepsItsTypeAndDetails) {
  const core::OutcomeRef outcome = ToOutcome(Failure("HttpError", "no route", JsonPayload({{"kind", "Timeout"}})));
  ASSERT_EQ(outcome->kind, core::Outcome::Kind::kError);
  EXPECT_EQ(outcome->error->kind, core::ErrorKind::kApplication);
  EXPECT_EQ(outcome->error->type, "HttpError");
  EXPECT_EQ(outcome->error->message, "no route");
  EXPECT_EQ(ParseJson(outcome->error->details)->at("kind"), "Timeout");
}

// semantics 11
TEST(ToOutcome, ACancelledStatusEndsCancelledThoughNobodyAsked) {
  const core::OutcomeRef outcome = ToOutcome(absl::CancelledError("of its own will"));
  ASSERT_EQ(outcome->kind, core::Outcome::Kind::kCancelled);
  EXPECT_EQ(outcome->error->message, "of its own will");
}

TEST(ToOutcome, OtherStatusesGetAKindAndTheCodesName) {
  const core::OutcomeRef invalid = ToOutcome(InvalidInput("seconds: -1, must be 0 or more"));
  EXPECT_EQ(invalid->error->kind, core::ErrorKind::kInvalidInput);
  EXPECT_EQ(invalid->error->type, "InvalidInput");
  const core::OutcomeRef late = ToOutcome(absl::DeadlineExceededError("late"));
  EXPECT_EQ(late->error->kind, core::ErrorKind::kTimedOut);
  EXPECT_EQ(late->error->type, "TimeoutError");
  const core::OutcomeRef other = ToOutcome(absl::ResourceExhaustedError("full"));
  EXPECT_EQ(other->error->kind, core::ErrorKind::kApplication);
  EXPECT_EQ(other->error->type, "RESOURCE_EXHAUSTED");
}

TEST(FromOutcome, AnErrorReturnedOnIsTheSameError) {
  const core::Error error = FullError();
  const absl::StatusOr<core::Payload> raised = FromOutcome(core::Outcome::Failed(error));
  EXPECT_EQ(raised.status().code(), absl::StatusCode::kDeadlineExceeded);
  const core::OutcomeRef again = ToOutcome(raised.status());
  ASSERT_EQ(again->kind, core::Outcome::Kind::kError);
  ExpectSame(*again->error, error);
}

TEST(FromOutcome, ACancellationIsRaisedWithItsMessage) {
  const absl::StatusOr<core::Payload> raised = FromOutcome(core::Outcome::Cancelled("stop", SomeId()));
  EXPECT_EQ(raised.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(raised.status().message(), "stop");
}

TEST(FromOutcome, AGatherBecomesAnArrayInOrder) {
  const std::vector<core::OutcomeRef> members = {
      core::Outcome::Value(JsonPayload({{"n", 1}})), core::Outcome::Value(core::Payload::Text("two")),
      core::Outcome::Value(core::Payload::Bytes("\xFF\x01")), core::Outcome::Value(core::Payload())};
  const absl::StatusOr<core::Payload> array = FromOutcome(core::Outcome::Gathered(members));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(ParseJson(*array)->dump(), R"([{"n":1},"two","/wE=",null])");
}

TEST(FromOutcome, AGatherWithAnErrorRaisesTheFirst) {
  core::Error first;
  first.type = "First";
  core::Error second;
  second.type = "Second";
  const std::vector<core::OutcomeRef> members = {core::Outcome::Value(core::Payload()), core::Outcome::Failed(first),
                                                 core::Outcome::Failed(second)};
  const absl::StatusOr<core::Payload> raised = FromOutcome(core::Outcome::Gathered(members));
  ASSERT_FALSE(raised.ok());
  EXPECT_EQ(ToOutcome(raised.status())->error->type, "First");
}

}  // namespace
}  // namespace muster::jobs
