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

values::FutureId SomeId() {
  values::FutureId id;
  id.sequence = 7;
  id.incarnation = 2;
  id.slot = 5;
  id.shard = 3;
  id.ns_tag = 9;
  return id;
}

values::Error FullError() {
  values::Error cause;
  cause.kind = values::ErrorKind::kCancelled;
  cause.type = "CancelledError";
  cause.message = "enough";
  values::Error error;
  error.kind = values::ErrorKind::kTimedOut;
  error.type = "TimeoutError";
  error.message = std::string("late\0and loud", 13);
  error.details = JsonPayload({{"after_seconds", 3}});
  error.cause = std::make_shared<const values::Error>(cause);
  error.origin = SomeId();
  return error;
}

void ExpectSame(const values::Error& a, const values::Error& b) {
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
  const values::Error error = FullError();
  const std::optional<values::Error> decoded = DecodeError(EncodeError(error));
  ASSERT_TRUE(decoded.has_value());
  ExpectSame(*decoded, error);
}

TEST(ErrorCodec, CutsAChainOfCausesAtEight) {
  auto chain = std::make_shared<const values::Error>();
  for (int i = 0; i < 100; ++i) {
    values::Error next;
    next.cause = chain;
    chain = std::make_shared<const values::Error>(next);
  }
  const std::optional<values::Error> decoded = DecodeError(EncodeError(*chain));
  ASSERT_TRUE(decoded.has_value());
  int depth = 0;
  for (const values::Error* at = decoded->cause.get(); at != nullptr; at = at->cause.get()) ++depth;
  EXPECT_EQ(depth, 8);
}

TEST(ErrorCodec, RefusesEveryCutOffForm) {
  const std::string bytes = EncodeError(FullError());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeError(bytes.substr(0, size)).has_value()) << size;
  }
}

TEST(ToOutcome, AValueIsAValue) {
  const values::OutcomeRef outcome = ToOutcome(values::Payload::Text("x"));
  EXPECT_EQ(outcome->kind, values::Outcome::Kind::kValue);
  EXPECT_EQ(outcome->value.body(), "x");
}

TEST(ToOutcome, AFailureKeepsItsTypeAndDetails) {
  const values::OutcomeRef outcome = ToOutcome(Failure("HttpError", "no route", JsonPayload({{"kind", "Timeout"}})));
  ASSERT_EQ(outcome->kind, values::Outcome::Kind::kError);
  EXPECT_EQ(outcome->error->kind, values::ErrorKind::kApplication);
  EXPECT_EQ(outcome->error->type, "HttpError");
  EXPECT_EQ(outcome->error->message, "no route");
  EXPECT_EQ(ParseJson(outcome->error->details)->at("kind"), "Timeout");
}

// semantics 11
TEST(ToOutcome, ACancelledStatusEndsCancelledThoughNobodyAsked) {
  const values::OutcomeRef outcome = ToOutcome(absl::CancelledError("of its own will"));
  ASSERT_EQ(outcome->kind, values::Outcome::Kind::kCancelled);
  EXPECT_EQ(outcome->error->message, "of its own will");
}

TEST(ToOutcome, OtherStatusesGetAKindAndTheCodesName) {
  const values::OutcomeRef invalid = ToOutcome(InvalidInput("seconds: -1, must be 0 or more"));
  EXPECT_EQ(invalid->error->kind, values::ErrorKind::kInvalidInput);
  EXPECT_EQ(invalid->error->type, "InvalidInput");
  const values::OutcomeRef late = ToOutcome(absl::DeadlineExceededError("late"));
  EXPECT_EQ(late->error->kind, values::ErrorKind::kTimedOut);
  EXPECT_EQ(late->error->type, "TimeoutError");
  const values::OutcomeRef other = ToOutcome(absl::ResourceExhaustedError("full"));
  EXPECT_EQ(other->error->kind, values::ErrorKind::kApplication);
  EXPECT_EQ(other->error->type, "RESOURCE_EXHAUSTED");
}

// A message with such text could not be read by anybody.
TEST(ToOutcome, AValueThatIsNoUtf8IsTheFunctionsError) {
  values::Payload::Content labelled;
  labelled.metadata = {{"name", "caf\xE9"}};
  values::Payload::Content typed;
  typed.content_type = "text/\xFF";
  const std::pair<values::Payload, std::string> cases[] = {
      {values::Payload::Text("caf\xE9!"),
       "the function returned text that is not UTF-8 at byte 3 of 5; return it as bytes"},
      {values::Payload(labelled), "the function returned metadata \"name\" that is not UTF-8"},
      {values::Payload(typed), "the function returned a content type that is not UTF-8"},
  };
  for (const auto& [payload, message] : cases) {
    const values::OutcomeRef outcome = ToOutcome(payload);
    ASSERT_EQ(outcome->kind, values::Outcome::Kind::kError) << message;
    EXPECT_EQ(outcome->error->kind, values::ErrorKind::kApplication);
    EXPECT_EQ(outcome->error->type, "InvalidOutcome");
    EXPECT_EQ(outcome->error->message, message);
  }
}

TEST(ToOutcome, BytesMayBeAnything) {
  const values::OutcomeRef outcome = ToOutcome(values::Payload::Bytes("caf\xE9"));
  EXPECT_EQ(outcome->kind, values::Outcome::Kind::kValue);
  EXPECT_EQ(outcome->value.body(), "caf\xE9");
}

TEST(ToOutcome, AnErrorsMessageIsMendedAndTheRestRefused) {
  const values::OutcomeRef mended = ToOutcome(Failure("HttpError", "no caf\xE9"));
  EXPECT_EQ(mended->error->type, "HttpError");
  EXPECT_EQ(mended->error->message, "no caf\xEF\xBF\xBD");
  const values::OutcomeRef details = ToOutcome(Failure("HttpError", "no caf\xE9", values::Payload::Text("\xE9")));
  EXPECT_EQ(details->error->type, "InvalidOutcome");
  EXPECT_EQ(details->error->kind, values::ErrorKind::kApplication);
  EXPECT_EQ(details->error->message,
            "the function returned error details with text that is not UTF-8 at byte 0 of 1; return it as bytes: no "
            "caf\xEF\xBF\xBD");
  const values::OutcomeRef type = ToOutcome(Failure("\xE9", "why"));
  EXPECT_EQ(type->error->type, "InvalidOutcome");
  EXPECT_EQ(type->error->message, "the function returned an error type that is not UTF-8: why");
  const values::OutcomeRef cancelled = ToOutcome(absl::CancelledError("\xE9"));
  ASSERT_EQ(cancelled->kind, values::Outcome::Kind::kCancelled);
  EXPECT_EQ(cancelled->error->message, "\xEF\xBF\xBD");
}

TEST(FromOutcome, AnErrorReturnedOnIsTheSameError) {
  const values::Error error = FullError();
  const absl::StatusOr<values::Payload> raised = FromOutcome(values::Outcome::Failed(error));
  EXPECT_EQ(raised.status().code(), absl::StatusCode::kDeadlineExceeded);
  const values::OutcomeRef again = ToOutcome(raised.status());
  ASSERT_EQ(again->kind, values::Outcome::Kind::kError);
  ExpectSame(*again->error, error);
}

TEST(FromOutcome, ACancellationIsRaisedWithItsMessage) {
  const absl::StatusOr<values::Payload> raised = FromOutcome(values::Outcome::Cancelled("stop", SomeId()));
  EXPECT_EQ(raised.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(raised.status().message(), "stop");
}

TEST(FromOutcome, AGatherBecomesAnArrayInOrder) {
  const std::vector<values::OutcomeRef> members = {
      values::Outcome::Value(JsonPayload({{"n", 1}})), values::Outcome::Value(values::Payload::Text("two")),
      values::Outcome::Value(values::Payload::Bytes("\xFF\x01")), values::Outcome::Value(values::Payload())};
  const absl::StatusOr<values::Payload> array = FromOutcome(values::Outcome::Gathered(members));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(ParseJson(*array)->dump(), R"([{"n":1},"two","/wE=",null])");
}

TEST(FromOutcome, AGatherWithAnErrorRaisesTheFirst) {
  values::Error first;
  first.type = "First";
  values::Error second;
  second.type = "Second";
  const std::vector<values::OutcomeRef> members = {values::Outcome::Value(values::Payload()),
                                                   values::Outcome::Failed(first), values::Outcome::Failed(second)};
  const absl::StatusOr<values::Payload> raised = FromOutcome(values::Outcome::Gathered(members));
  ASSERT_FALSE(raised.ok());
  EXPECT_EQ(ToOutcome(raised.status())->error->type, "First");
}

}  // namespace
}  // namespace muster::jobs
