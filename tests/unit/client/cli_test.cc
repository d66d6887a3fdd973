// The parts of the command that need no server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/cli/duration.h"
#include "client/cli/exit_code.h"
#include "client/cli/input.h"
#include "client/cli/render.h"
#include "client/cli/terminal.h"
#include "muster/status.h"

namespace muster::cli {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::HasSubstr;

TEST(DurationTest, NumbersHaveUnits) {
  EXPECT_EQ(*ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(*ParseDuration("1.5s"), milliseconds(1500));
  EXPECT_EQ(*ParseDuration("2m"), minutes(2));
  EXPECT_EQ(*ParseDuration("1h30m"), minutes(90));
  EXPECT_EQ(*ParseDuration("3d"), hours(72));
  EXPECT_EQ(*ParseDuration("10us"), microseconds(10));
  EXPECT_EQ(*ParseDuration("0"), microseconds(0));
  EXPECT_EQ(*ParseDuration("-1s"), milliseconds(-1000));
  for (const char* bad : {"", "5", "s", "1x", "1 s", "1s2", "-", "1..2s", "9999999d", "nan s", "inf"}) {
    EXPECT_FALSE(ParseDuration(bad).ok()) << bad;
  }
}

TEST(DurationTest, PeopleReadTwoUnits) {
  EXPECT_EQ(FormatDuration(milliseconds(850)), "850 ms");
  EXPECT_EQ(FormatDuration(milliseconds(1234)), "1.2 s");
  EXPECT_EQ(FormatDuration(minutes(200)), "3 h 20 m");
  EXPECT_EQ(FormatDuration(minutes(5)), "5 m");
}

Json InputJson(std::vector<std::string> words) {
  InputOptions options;
  options.words = std::move(words);
  const auto payload = ReadInput(options);
  EXPECT_TRUE(payload.ok()) << payload.status();
  return payload.ok() ? ToJson(*payload) : Json();
}

TEST(InputTest, JsonPairsAndNothing) {
  EXPECT_EQ(InputJson({R"({"a": [1, 2]})"}), Json::parse(R"({"a": [1, 2]})"));
  EXPECT_EQ(InputJson({"5"}), Json(5));
  EXPECT_EQ(InputJson({"\"x=1\""}), Json("x=1"));
  EXPECT_EQ(InputJson({"a=1", "b:=1", "c:=[true]", "d=x=y"}), Json::parse(R"({"a":"1","b":1,"c":[true],"d":"x=y"})"));
  EXPECT_EQ(InputJson({}), Json());
}

TEST(InputTest, MistakesSayHowToWriteIt) {
  InputOptions options;
  options.words = {"hello"};
  EXPECT_THAT(std::string(ReadInput(options).status().message()), HasSubstr("no JSON"));
  options.words = {"a=1", "hello"};
  EXPECT_THAT(std::string(ReadInput(options).status().message()), HasSubstr("no pair"));
  options.words = {"a:=x"};
  EXPECT_THAT(std::string(ReadInput(options).status().message()), HasSubstr("a=x"));
  options.words = {"a=1", "a=2"};
  EXPECT_THAT(std::string(ReadInput(options).status().message()), HasSubstr("twice"));
  options.words = {"@/nonexistent"};
  EXPECT_THAT(std::string(ReadInput(options).status().message()), HasSubstr("/nonexistent"));
  options.words = {"x"};
  options.data = "y";
  EXPECT_FALSE(ReadInput(options).ok());
}

TEST(InputTest, TextAndBytes) {
  InputOptions options;
  options.words = {"two", "words"};
  options.text = true;
  EXPECT_EQ(ReadInput(options)->text(), "two words");
  InputOptions data;
  data.data = "raw";
  EXPECT_EQ(ReadInput(data)->data(), "raw");
  EXPECT_EQ(ReadInput(data)->content_type(), "application/octet-stream");
}

TEST(RenderTest, NumbersStayWholeWhereADoubleIs) {
  EXPECT_EQ(Dump(ToJson(*client::FromJson("[1, 1.5, -3, 1e300, 9007199254740993]"))),
            "[1,1.5,-3,1e+300,9.007199254740992e+15]");
}

TEST(RenderTest, ATableIsAlignedAndItsLastColumnCut) {
  Table table({"ID", "RESULT"});
  table.Add({{"a"}, {"0123456789abcdefghij"}});
  table.Add({{"längeres"}, {"x\x1b[31m\ny"}});
  Terminal terminal;
  terminal.width = 22;
  EXPECT_EQ(table.Text(terminal),
            "ID        RESULT\n"
            "a         0123456789a…\n"
            "längeres  x\\x1b[31m\\ny\n");
  terminal.width = 0;
  EXPECT_THAT(table.Text(terminal), HasSubstr("0123456789abcdefghij"));
}

TEST(RenderTest, AnErrorKeepsItsCauseAndOrigin) {
  client::Error error;
  error.set_kind(v1::ERROR_KIND_TIMED_OUT);
  error.set_message("late");
  error.set_origin_id("x1");
  error.mutable_cause()->set_kind(v1::ERROR_KIND_CANCELLED);
  EXPECT_EQ(Dump(ToJson(error)),
            R"({"kind":"timed_out","message":"late","origin_id":"x1","cause":{"kind":"cancelled","message":""}})");
  EXPECT_EQ(Brief(error), "timed_out: late (cause: cancelled)");
}

TEST(TerminalTest, NothingSteersIt) {
  EXPECT_EQ(Visible("a\x1b]0;x\x07"
                    "b\tc\n"),
            "a\\x1b]0;x\\x07"
            "b\\tc\\n");
  EXPECT_EQ(Visible("a\tb\n", true), "a\tb\n");
  EXPECT_EQ(Visible("\xc2\x9b"), "\\x9b");
  EXPECT_EQ(DisplayWidth("日本"), 4u);
  EXPECT_EQ(Cut("日本語", 5), "日本…");
}

TEST(ExitCodeTest, StatusesAndStates) {
  EXPECT_EQ(CodeOf(absl::InvalidArgumentError("x")), kUsage);
  EXPECT_EQ(CodeOf(absl::UnavailableError("x")), kUnavailable);
  EXPECT_EQ(CodeOf(absl::ResourceExhaustedError("x")), kRefused);
  EXPECT_EQ(CodeOf(absl::NotFoundError("x")), kNotFound);
  EXPECT_EQ(CodeOf(absl::DataLossError("x")), kInternal);
  v1::ItemStatus large;
  large.set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
  large.set_reason(v1::ERROR_REASON_PAYLOAD_TOO_LARGE);
  EXPECT_EQ(CodeOf(client::FromItemStatus(large)), kRefused);
  EXPECT_EQ(Worse(kCancelled, kJobFailed), kJobFailed);
  EXPECT_EQ(Worse(kJobFailed, kCancelled), kJobFailed);
  EXPECT_EQ(Worse(kOk, kCancelled), kCancelled);
}

}  // namespace
}  // namespace muster::cli
