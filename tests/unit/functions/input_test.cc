#include "service/functions/input.h"

#include <string>

#include <gtest/gtest.h>

#include "service/jobs/json.h"

namespace muster::functions {
namespace {

Input Make(const nlohmann::json& object) { return Input::Object(jobs::JsonPayload(object), {"a", "b"}, "a"); }
std::string Said(const Input& input) { return std::string(input.status().message()); }

TEST(Input, ReadsWhatIsThereAndDefaultsWhatIsNot) {
  Input input = Make({{"a", "text"}, {"b", nullptr}});
  EXPECT_EQ(input.RequiredText("a", 4), "text");
  EXPECT_FALSE(input.Has("b")) << "null is as good as absent";
  EXPECT_EQ(input.Integer("b", 7, 0, 10), 7);
  EXPECT_EQ(input.Number("b", 0.5, 0, 1), 0.5);
  EXPECT_TRUE(input.Bool("b", true));
  EXPECT_EQ(input.Text("b", 1), "");
  EXPECT_EQ(input.Base64("b"), "");
  EXPECT_TRUE(input.ok()) << input.status();
}

TEST(Input, PlainTextAndAJsonStringStandForOneKey) {
  EXPECT_EQ(Make("x").Text("a", 1), "x");
  EXPECT_EQ(Input::Object(jobs::Payload::Text("x"), {"a"}, "a").Text("a", 1), "x");
  EXPECT_FALSE(Input::Object(jobs::Payload::Text("x"), {"a"}).ok());
  EXPECT_FALSE(Input::Object(jobs::JsonPayload("x"), {"a"}).ok());
}

TEST(Input, ErrorsNameKeyValueAndExpectation) {
  Input integer = Make({{"a", 11}});
  integer.Integer("a", 0, 0, 10);
  EXPECT_EQ(Said(integer), "a: 11, must be a whole number from 0 to 10");
  Input fraction = Make({{"a", 1.5}});
  fraction.Integer("a", 0, 0, 10);
  EXPECT_EQ(Said(fraction), "a: 1.5, must be a whole number from 0 to 10");
  Input number = Make({{"a", "1"}});
  number.Number("a", 0, 0, 10);
  EXPECT_EQ(Said(number), "a: \"1\", must be a number from 0 to 10");
  Input boolean = Make({{"a", 1}});
  boolean.Bool("a", false);
  EXPECT_EQ(Said(boolean), "a: 1, must be true or false");
  Input text = Make({{"a", 1}});
  text.Text("a", 10);
  EXPECT_EQ(Said(text), "a: 1, must be a string");
  Input long_text = Make({{"a", "12345"}});
  long_text.Text("a", 4);
  EXPECT_EQ(Said(long_text), "a: 5 bytes, must be at most 4");
  Input missing = Make({{"b", 1}});
  missing.RequiredText("a", 4);
  EXPECT_EQ(Said(missing), "a: missing, must be a string");
  Input base64 = Make({{"a", "!"}});
  base64.Base64("a");
  EXPECT_EQ(Said(base64), "a: \"!\", must be base64");
  EXPECT_EQ(Said(Make({{"c", 1}})), "unknown key \"c\"; known are a, b");
  EXPECT_EQ(Said(Make({1})), "the input must be a JSON object, is [1]");
}

TEST(Input, TheFirstErrorWinsAndNothingIsReadAfterIt) {
  Input input = Make({{"a", 1}, {"b", 2}});
  EXPECT_EQ(input.Text("a", 10), "");
  input.Bool("b", false);
  input.Fail("later");
  EXPECT_EQ(Said(input), "a: 1, must be a string");
}

TEST(Input, HugeNumbersAreNoIntegers) {
  values::Payload::Content content;
  content.encoding = values::Encoding::kText;
  content.content_type = "application/json";
  content.body = R"({"a":18446744073709551615})";
  Input input = Input::Object(values::Payload(content), {"a"});
  EXPECT_EQ(input.Integer("a", 3, INT64_MIN, INT64_MAX), 3);
  EXPECT_FALSE(input.ok());
}

TEST(Shown, CutsLongValuesAtACharacter) {
  const std::string shown = Shown(std::string(98, 'x') + "\xC3\xA4\xC3\xA4");
  EXPECT_LE(shown.size(), 110u);
  EXPECT_NE(shown.find("..."), std::string::npos);
  EXPECT_EQ(Shown(nlohmann::json::array_t(1000, 1)), "a long array");
}

}  // namespace
}  // namespace muster::functions
