// test.program against a context that plays the service.
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "service/functions/test/family.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/functions/call.h"

namespace muster::functions {
namespace {

using nlohmann::json;
using std::chrono::seconds;

class TestProgram : public testing::Test {
 public:
  TestProgram() {
    Environment environment;
    environment.manual_clock = true;
    EXPECT_TRUE(TestFamily().Register(registry_, environment).ok());
  }
  coro::Task<void> Body(jobs::Payload input) {
    result_ = co_await registry_.Find("test.program")->async(context_, std::move(input));
  }
  void Start(const std::string& steps) {
    executor_.Spawn(Body(jobs::JsonPayload(json::parse(steps))));
    executor_.RunUntilIdle();
  }
  const absl::StatusOr<jobs::Payload>& Finish() {
    executor_.RunUntilDone();
    return result_;
  }
  const absl::StatusOr<jobs::Payload>& Run(const std::string& steps) {
    Start(steps);
    return Finish();
  }
  std::string Records(const std::string& steps) { return JsonOf(Run(steps)).dump(); }

  jobs::Registry registry_;
  FakeJobContext context_;
  absl::StatusOr<jobs::Payload> result_ = absl::UnknownError("not over");
  test::ManualExecutor executor_;
};

TEST_F(TestProgram, ReturnsAValueOrTheRecords) {
  EXPECT_EQ(Records(R"([])"), "[]");
  EXPECT_EQ(Records(R"([{"op":"record","value":1},{"op":"record","value":"x"}])"), R"([1,"x"])");
  EXPECT_EQ(Records(R"([{"op":"record","value":1},{"op":"return"},{"op":"raise"}])"), "[1]");
  EXPECT_EQ(Records(R"([{"op":"return","value":{"a":null}}])"), R"({"a":null})");
  EXPECT_EQ(Records(R"([{"op":"record","what":"attempt"},{"op":"record","what":"error"}])"), "[1,null]");
}

TEST_F(TestProgram, RaisesAndCatches) {
  const absl::StatusOr<jobs::Payload>& raised = Run(R"([{"op":"raise","type":"ValueError","message":"bad"}])");
  EXPECT_EQ(ErrorType(raised), "ValueError");
  EXPECT_EQ(ErrorMessage(raised), "bad");
  EXPECT_EQ(Run(R"([{"op":"raise_cancelled","message":"m"}])").status(), absl::CancelledError("m"));
  EXPECT_EQ(Records(R"([{"op":"try","body":[{"op":"raise","type":"T","message":"m"},{"op":"record","value":"never"}],
                         "catch":"error","except":[{"op":"record","what":"error"}],
                         "finally":[{"op":"record","value":"finally"}]}])"),
            R"([{"kind":"APPLICATION","message":"m","type":"T"},"finally"])");
  // Each catches its own kind alone.
  EXPECT_EQ(ErrorType(Run(R"([{"op":"try","body":[{"op":"raise","type":"T"}],"catch":"cancelled"}])")), "T");
  EXPECT_EQ(ErrorType(Run(R"([{"op":"try","body":[{"op":"raise_cancelled"}],"catch":"error"}])")), "CancelledError");
  EXPECT_EQ(Records(R"([{"op":"swallow_cancel","body":[{"op":"raise_cancelled"}]},{"op":"record","value":1}])"), "[1]");
}

TEST_F(TestProgram, SleepsAndSwallowsACancel) {
  Start(R"([{"op":"swallow_cancel","body":[{"op":"sleep","seconds":60},{"op":"record","value":"slept"}]},
            {"op":"record","what":"cancelling"},{"op":"record","what":"cancel_message"},
            {"op":"uncancel","as":"left"},{"op":"record","what":"result","of":"left"}])");
  executor_.Advance(seconds(5));
  context_.token().Cancel("stop");
  EXPECT_EQ(JsonOf(Finish()).dump(), R"([1,"stop",0])");
}

TEST_F(TestProgram, SubmitsAwaitsAndCancels) {
  Start(
      R"([{"op":"submit","function":"sleep","input":3,"name":"n","delay_seconds":2,"run_timeout_seconds":1.5,"as":"a"},
            {"op":"await","id":"a","as":"value"},{"op":"record","what":"result","of":"value"},
            {"op":"promise","as":"p"},{"op":"cancel","id":"p","message":"no","as":"effect"},
            {"op":"record","what":"result","of":"effect"},
            {"op":"await","id":"p"}])");
  ASSERT_EQ(context_.submitted.size(), 1u);
  const jobs::ChildCall& call = context_.submitted[0];
  EXPECT_EQ(call.function, "sleep");
  EXPECT_EQ(call.options.name, "n");
  EXPECT_EQ(call.options.delay, seconds(2));
  EXPECT_EQ(call.options.run_timeout, std::chrono::milliseconds(1500));
  values::FutureId child = FakeJobContext::SelfId();
  ++child.sequence;
  context_.Settle(child, values::Outcome::Value(jobs::JsonPayload({{"n", 7}})));
  EXPECT_EQ(Finish().status(), absl::CancelledError("no")) << "what it awaited was cancelled";
}

TEST_F(TestProgram, ACancelReachesWhatItAwaits) {
  const values::FutureId target = context_.Add();
  Start(R"([{"op":"await","id":")" + target.ToText() + R"("}])");
  context_.token().Cancel("all");
  EXPECT_EQ(Finish().status(), absl::CancelledError("all"));
  EXPECT_EQ(context_.OutcomeOf(target)->kind, values::Outcome::Kind::kCancelled);
}

TEST_F(TestProgram, AwaitingItselfIsAnErrorThatCanBeHandled) {
  EXPECT_EQ(ErrorType(Run(R"([{"op":"await","id":"self"}])")), "InvalidInput");
  EXPECT_EQ(Records(R"([{"op":"try","body":[{"op":"await","id":"self"}]},{"op":"record","value":1}])"), "[1]");
}

TEST_F(TestProgram, CombinesFutures) {
  EXPECT_EQ(Records(R"([{"op":"promise","as":"p"},{"op":"gather","ids":["p","p"],"return_exceptions":true,"as":"g"},
                        {"op":"shield","id":"p","as":"s"},
                        {"op":"wait_for","id":"g","timeout_seconds":0.5,"grace_seconds":2,"as":"w"}])"),
            "[]");
  ASSERT_EQ(context_.combined.size(), 4u);
  const auto& gather = std::get<values::GatherSpec>(context_.combined[1]);
  EXPECT_EQ(gather.members.size(), 2u);
  EXPECT_TRUE(gather.return_exceptions);
  EXPECT_EQ(std::get<values::ShieldSpec>(context_.combined[2]).inner, gather.members[0]);
  const auto& wait_for = std::get<values::WaitForSpec>(context_.combined[3]);
  EXPECT_EQ(wait_for.timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(wait_for.grace, seconds(2));
}

TEST_F(TestProgram, ReportsProgress) {
  EXPECT_TRUE(Run(R"([{"op":"progress","fraction":0.5,"message":"half"}])").ok());
  ASSERT_EQ(context_.progress.size(), 1u);
  EXPECT_EQ(context_.progress[0].first, 0.5);
  EXPECT_EQ(context_.progress[0].second, "half");
}

TEST_F(TestProgram, IsBounded) {
  EXPECT_TRUE(Run(R"([{"op":"repeat","times":9000,"body":[{"op":"progress"}]}])").ok());
  EXPECT_NE(ErrorMessage(Run(R"([{"op":"repeat","times":10000,"body":[{"op":"progress"}]}])")).find("10000 steps"),
            std::string::npos);
  std::string deep = "[]";
  for (int i = 0; i < 16; ++i) deep = R"([{"op":"repeat","body":)" + deep + "}]";
  EXPECT_NE(ErrorMessage(Run(deep)).find("16 levels"), std::string::npos);
  EXPECT_NE(ErrorMessage(Run(R"([{"op":"repeat","times":1001,"body":[{"op":"record"}]}])")).find("1000 records"),
            std::string::npos);
}

TEST_F(TestProgram, RefusesWhatItDoesNotKnow) {
  for (const char* steps :
       {R"({})", R"("x")", R"([1])", R"([{}])", R"([{"op":1}])", R"([{"op":"jump"}])", R"([{"op":"sleep","second":1}])",
        R"([{"op":"sleep","seconds":-1}])", R"([{"op":"await","id":"nobody"}])", R"([{"op":"await"}])",
        R"([{"op":"submit","as":"a"}])", R"([{"op":"gather","ids":[1],"as":"g"}])", R"([{"op":"gather","as":"g"}])",
        R"([{"op":"record","what":"weather"}])", R"([{"op":"try","catch":"some"}])",
        R"([{"op":"repeat","body":{}}])"}) {
    EXPECT_EQ(ErrorType(Run(steps)), "InvalidInput") << steps;
  }
}

}  // namespace
}  // namespace muster::functions
