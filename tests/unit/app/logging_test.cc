#include "service/app/settings/logging.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr base::Instant kTime(base::Duration(1'700'000'000'123'456));

std::string Json(std::string_view message, std::vector<base::LogField> fields = {}) {
  return LogLine(LogFormat::kJson, kTime, base::LogLevel::kInfo, message, fields);
}
std::string Text(std::string_view message, std::vector<base::LogField> fields = {}) {
  return LogLine(LogFormat::kText, kTime, base::LogLevel::kWarning, message, fields);
}

TEST(LogLineTest, JsonHasTimeLevelMessageAndFieldsInOrder) {
  EXPECT_EQ(Json("started", {{"future_id", "abc"},
                             {"loops", 2},
                             {"bytes", uint64_t{1} << 63},
                             {"lag", 0.5},
                             {"tls", false},
                             {"negative", -3}}),
            R"({"time":"2023-11-14T22:13:20.123Z","level":"info","message":"started","future_id":"abc","loops":2,)"
            R"("bytes":9223372036854775808,"lag":0.5,"tls":false,"negative":-3})");
}

TEST(LogLineTest, TextIsForPeople) {
  EXPECT_EQ(Text("slow", {{"rpc", "Submit"}, {"error", "no such file"}, {"empty", ""}}),
            R"(2023-11-14T22:13:20.123Z warning slow rpc=Submit error="no such file" empty="")");
}

TEST(LogLineTest, NobodyCanForgeALine) {
  const std::string evil = "x\n{\"level\":\"info\"}\r\x1b[31m\"\\";
  EXPECT_THAT(Json(evil, {{"name", evil}}), Not(HasSubstr("\n")));
  EXPECT_THAT(Json(evil), HasSubstr(R"("x\n{\"level\":\"info\"}\u000d\u001b[31m\"\\")"));
  EXPECT_THAT(Text(evil, {{"name", evil}}), Not(HasSubstr("\n")));
  EXPECT_THAT(Text(evil), Not(HasSubstr("\x1b")));
}

TEST(LogLineTest, WhatIsNoUtf8IsReplacedAndWhatIsTooLongCut) {
  EXPECT_THAT(Json("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\x89"),
              HasSubstr("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\x89"));
  EXPECT_THAT(Json("a\xff"
                   "b\xc3"
                   "c\xed\xa0\x80\xc0\x80"),
              HasSubstr(R"("a\ufffdb\ufffdc\ufffd\ufffd\ufffd\ufffd\ufffd")"));
  EXPECT_LT(Json(std::string(100'000, 'x')).size(), 5000u);
  EXPECT_THAT(Json("n", {{"v", std::numeric_limits<double>::quiet_NaN()}}), HasSubstr("\"v\":null"));
}

TEST(LogLimiterTest, LetsABurstThroughAndCountsTheRest) {
  base::LogLimiter limiter(2, std::chrono::seconds(10));
  base::Instant now = kTime;
  uint64_t suppressed = 99;
  EXPECT_TRUE(limiter.Allow(now, &suppressed));
  EXPECT_EQ(suppressed, 0u);
  EXPECT_TRUE(limiter.Allow(now, &suppressed));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limiter.Allow(now, &suppressed));
  now += std::chrono::seconds(10);
  EXPECT_TRUE(limiter.Allow(now, &suppressed));
  EXPECT_EQ(suppressed, 5u);
  EXPECT_TRUE(limiter.Allow(now, &suppressed));
  EXPECT_EQ(suppressed, 0u);
}

std::vector<std::string>* g_seen = nullptr;
void Remember(base::LogLevel, std::string_view message, std::span<const base::LogField> fields) {
  std::string text(message);
  for (const base::LogField& field : fields) text += " " + std::string(field.key);
  g_seen->push_back(text);
}

TEST(LogTest, OnlyWhatIsHighEnoughReachesTheSink) {
  std::vector<std::string> seen;
  g_seen = &seen;
  base::SetLogSink(&Remember, base::LogLevel::kInfo);
  base::LogDebug("debug");
  base::LogInfo("info", {{"a", 1}});
  base::LogError("error");
  EXPECT_FALSE(base::LogEnabled(base::LogLevel::kDebug));
  base::LogLimiter limiter(1, std::chrono::hours(1));
  base::LogLimited(limiter, base::LogLevel::kInfo, "limited");
  base::LogLimited(limiter, base::LogLevel::kInfo, "limited");
  base::SetLogSink(nullptr, base::LogLevel::kWarning);
  EXPECT_THAT(seen, ElementsAre("info a", "error", "limited"));
}

TEST(LoggingTest, WritesLinesToStderrUntilItIsStopped) {
  ::testing::internal::CaptureStderr();
  StartLogging("info", "json");
  base::LogDebug("too low");
  for (int i = 0; i < 100; ++i) base::LogInfo("hello", {{"i", i}});
  StopLogging();
  const std::string written = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 100);
  EXPECT_THAT(written, HasSubstr(R"("message":"hello","i":99})"));
  EXPECT_THAT(written, Not(HasSubstr("too low")));
}

TEST(TraceId, ComesFromAWellFormedTraceparentOnly) {
  EXPECT_EQ(TraceIdOf("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(TraceIdOf("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), "");
  EXPECT_EQ(TraceIdOf("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"), "");
  EXPECT_EQ(TraceIdOf("garbage"), "");
  EXPECT_EQ(TraceIdOf(""), "");
}

}  // namespace
}  // namespace muster::app
