#include "service/jobs/json.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "google/protobuf/struct.pb.h"

namespace muster::jobs {
namespace {

values::Payload Encoded(values::Encoding encoding, std::string body, std::string content_type = "") {
  values::Payload::Content content;
  content.encoding = encoding;
  content.body = std::move(body);
  content.content_type = std::move(content_type);
  return values::Payload(std::move(content));
}

std::string Nested(int levels, const std::string& open, const std::string& close) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += open;
  text += "1";
  for (int i = 0; i < levels; ++i) text += close;
  return text;
}

TEST(JsonPayload, ComesBackAsItWas) {
  const nlohmann::json document = {
      {"null", nullptr},
      {"yes", true},
      {"whole", -3},
      {"half", 0.5},
      {"text", "\u00e4\n\""},
      {"empty text", ""},
      {"list", {1, "two", {3}}},
      {"object", {{"a", {{"b", 2}}}}},
      {"empty list", nlohmann::json::array()},
      {"empty object", nlohmann::json::object()},
      {"largest exact", 9007199254740992},
  };
  const values::Payload payload = JsonPayload(document);
  EXPECT_EQ(payload.encoding(), values::Encoding::kJson);
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(payload);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, document);
}

TEST(JsonPayload, WholeNumbersComeOutAsIntegersAndOthersAsDoubles) {
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(JsonPayload({3.0, 1e300, 0.25}));
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE((*parsed)[0].is_number_integer());
  EXPECT_TRUE((*parsed)[1].is_number_float());
  EXPECT_TRUE((*parsed)[2].is_number_float());
}

TEST(JsonPayload, HoldsOnlyWhatItsReceiverCanRead) {
  const values::Payload payload = JsonPayload({{"bad \xFF key", "cut \xC3"},
                                               {"nan", std::numeric_limits<double>::quiet_NaN()},
                                               {"inf", std::numeric_limits<double>::infinity()}});
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(payload);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->at("bad \xEF\xBF\xBD key"), "cut \xEF\xBF\xBD");
  EXPECT_TRUE(parsed->at("nan").is_null());
  EXPECT_TRUE(parsed->at("inf").is_null());
}

TEST(ParseJson, TheEmptyPayloadIsNull) {
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(values::Payload());
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed->is_null());
}

TEST(ParseJson, TextAndBytesNeedTheContentTypeOfJson) {
  for (const values::Encoding encoding : {values::Encoding::kText, values::Encoding::kBytes}) {
    const absl::StatusOr<nlohmann::json> parsed = ParseJson(Encoded(encoding, R"({"a":[1]})", "application/json"));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->dump(), R"({"a":[1]})");
    const absl::Status refused = ParseJson(Encoded(encoding, R"({"a":[1]})", "text/plain")).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(refused.message().find("text/plain"), std::string::npos) << refused;
  }
}

TEST(ParseJson, RefusesWhatIsNoJson) {
  for (const char* text : {"", "{", "{'a':1}", "[1,]", "nul", "1 2", "\"\xFF\"", "1e999"}) {
    const absl::Status refused = ParseJson(Encoded(values::Encoding::kText, text, "application/json")).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(ParseJson(Encoded(values::Encoding::kJson, "\x0b\xff\xff")).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ParseJson, NestsToItsLimitAndNoDeeperWhateverTheForm) {
  for (const auto& [open, close] : {std::pair<std::string, std::string>{"[", "]"}, {"{\"a\":", "}"}}) {
    const absl::StatusOr<nlohmann::json> deepest =
        ParseJson(Encoded(values::Encoding::kText, Nested(64, open, close), "application/json"));
    ASSERT_TRUE(deepest.ok()) << deepest.status();
    const absl::StatusOr<nlohmann::json> again = ParseJson(JsonPayload(*deepest));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, *deepest);

    const absl::Status text =
        ParseJson(Encoded(values::Encoding::kText, Nested(65, open, close), "application/json")).status();
    EXPECT_EQ(text.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(text.message().find("64"), std::string::npos) << text;
    const absl::Status message = ParseJson(JsonPayload(nlohmann::json::parse(Nested(65, open, close)))).status();
    EXPECT_EQ(message.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(message.message().find("64"), std::string::npos) << message;
  }
}

TEST(ParseJson, AHundredThousandBracketsCostNoStack) {
  const absl::Status refused =
      ParseJson(Encoded(values::Encoding::kBytes, std::string(100'000, '['), "application/json")).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
}

TEST(ParseBytes, GivesTextAndDataAsTheyAreAndRefusesJson) {
  EXPECT_EQ(ParseBytes(values::Payload::Text("abc")).value(), "abc");
  EXPECT_EQ(ParseBytes(values::Payload::Bytes(std::string("\0\xFF", 2))).value(), std::string("\0\xFF", 2));
  EXPECT_EQ(ParseBytes(values::Payload()).value(), "");
  EXPECT_EQ(ParseBytes(JsonPayload(1)).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace muster::jobs
