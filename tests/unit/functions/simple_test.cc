// echo, sleep and fail.
#include <limits>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "service/functions/basic/family.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/functions/call.h"

namespace muster::functions {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SimpleFunctions : public testing::Test {
 public:
  SimpleFunctions() { EXPECT_TRUE(BasicFamily().Register(registry_, {}).ok()); }

  coro::Task<absl::StatusOr<jobs::Payload>> Body(const std::string& name, jobs::Payload input) {
    return registry_.Find(name)->async(context_, std::move(input));
  }
  absl::StatusOr<jobs::Payload> Call(const std::string& name, jobs::Payload input) {
    return executor_.Run(Body(name, std::move(input)));
  }
  absl::StatusOr<jobs::Payload> Call(const std::string& name, const nlohmann::json& input) {
    return Call(name, jobs::JsonPayload(input));
  }

  jobs::Registry registry_;
  FakeJobContext context_;
  test::ManualExecutor executor_;
};

TEST_F(SimpleFunctions, EchoGivesTheSameCountedPayloadBack) {
  values::Payload::Content content;
  content.encoding = values::Encoding::kBytes;
  content.body = "not JSON \xFF";
  content.content_type = "application/json";
  content.metadata = {{"k", "v"}};
  const jobs::Payload input(std::move(content));
  const absl::StatusOr<jobs::Payload> output = Call("echo", input);
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->content, input.content) << "copied, or read and written again";
  EXPECT_EQ(Call("echo", jobs::Payload())->content, nullptr);
}

TEST_F(SimpleFunctions, SleepTakesItsTimeAndReturnsNull) {
  values::Payload::Content typed;
  typed.encoding = values::Encoding::kText;
  typed.content_type = "application/json";
  for (const jobs::Payload& input : {jobs::JsonPayload({{"seconds", 1.5}}), jobs::JsonPayload(1.5),
                                     jobs::JsonPayload("1.5"), jobs::Payload::Text("1.5")}) {
    const base::Instant start = executor_.Now();
    const absl::StatusOr<jobs::Payload> output = Call("sleep", input);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_EQ(executor_.Now() - start, milliseconds(1500));
    EXPECT_TRUE(JsonOf(output).is_null());
  }
}

TEST_F(SimpleFunctions, SleepRefusesWhatIsNoDurationAndSaysWhatItGot) {
  const std::pair<jobs::Payload, std::string> cases[] = {
      {jobs::JsonPayload(-1), "-1"},
      {jobs::JsonPayload({{"seconds", 1e12}}), "1000000000000"},
      {jobs::JsonPayload({{"seconds", "soon"}}), "soon"},
      {jobs::JsonPayload({{"seconds", nullptr}}), "null"},
      {jobs::JsonPayload({{"second", 1}}), "second"},
      {jobs::JsonPayload({{"seconds", 1}, {"minutes", 1}}), "minutes"},
      {jobs::JsonPayload({1}), "[1]"},
      {jobs::JsonPayload(nullptr), "null"},
      {jobs::JsonPayload(true), "true"},
      {jobs::Payload::Text("1s"), "1s"},
      {jobs::Payload::Text(""), "number"},
      {jobs::Payload::Text("nan"), "nan"},
      {jobs::Payload::Text("inf"), "inf"},
      {jobs::Payload::Bytes("1"), "bytes"},
      {jobs::Payload(), "null"},
  };
  for (const auto& [input, said] : cases) {
    const absl::StatusOr<jobs::Payload> output = Call("sleep", input);
    EXPECT_EQ(ErrorType(output), "InvalidInput") << said;
    EXPECT_NE(ErrorMessage(output).find(said), std::string::npos) << ErrorMessage(output) << " lacks " << said;
  }
}

TEST_F(SimpleFunctions, ACancelEndsASleepAtOnceWithItsMessage) {
  const base::Instant start = executor_.Now();
  absl::StatusOr<jobs::Payload> output;
  executor_.Spawn([](SimpleFunctions* self, absl::StatusOr<jobs::Payload>* result) -> coro::Task<void> {
    *result = co_await self->Body("sleep", jobs::Payload::Text("3600"));
  }(this, &output));
  executor_.Advance(seconds(1));
  context_.token().Cancel("enough");
  executor_.RunUntilDone();
  EXPECT_EQ(executor_.Now() - start, seconds(1));
  EXPECT_EQ(output.status(), absl::CancelledError("enough"));
}

TEST_F(SimpleFunctions, FailFailsAsToldTo) {
  const absl::StatusOr<jobs::Payload> output =
      Call("fail", {{"type", "ValueError"}, {"message", "no such color"}, {"details", {{"color", "mauve"}}}});
  const values::OutcomeRef outcome = jobs::ToOutcome(output);
  ASSERT_EQ(outcome->kind, values::Outcome::Kind::kError);
  EXPECT_EQ(outcome->error->kind, values::ErrorKind::kApplication);
  EXPECT_EQ(outcome->error->type, "ValueError");
  EXPECT_EQ(outcome->error->message, "no such color");
  EXPECT_EQ(jobs::ParseJson(outcome->error->details)->at("color"), "mauve");
}

TEST_F(SimpleFunctions, FailHasDefaultsAndBounds) {
  EXPECT_EQ(ErrorType(Call("fail", jobs::Payload())), "Failure");
  EXPECT_EQ(ErrorMessage(Call("fail", jobs::Payload::Text("just text"))), "just text");
  EXPECT_EQ(ErrorType(Call("fail", {{"type", std::string(129, 't')}})), "InvalidInput");
  EXPECT_EQ(ErrorType(Call("fail", {{"type", 1}})), "InvalidInput");
  EXPECT_EQ(ErrorType(Call("fail", {{"kind", "x"}})), "InvalidInput");
}

}  // namespace
}  // namespace muster::functions
