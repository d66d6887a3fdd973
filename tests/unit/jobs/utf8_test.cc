#include "service/jobs/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace muster::jobs {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

TEST(Utf8, AcceptsTheFirstAndLastCharacterOfEachLength) {
  for (const char* text :
       {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "plain text of some length \xC3\xA4"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
    EXPECT_EQ(MakeUtf8(text), text);
    EXPECT_EQ(MendUtf8(std::string(text)), text);
    EXPECT_EQ(Utf8Prefix(text), std::string_view(text).size());
  }
  EXPECT_TRUE(IsUtf8(std::string_view("\0", 1)));
}

TEST(Utf8, RefusesOverlongFormsSurrogatesStraysAndWhatIsTooHigh) {
  for (const char* text : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
                           "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF", "\xC3",
                           "\xE2\x82", "\xF0\x9F\x98", "\xC3(", "long enough for words \xFF"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
    EXPECT_TRUE(IsUtf8(MakeUtf8(text))) << text;
    EXPECT_EQ(MendUtf8(std::string(text)), MakeUtf8(text));
  }
}

TEST(Utf8, ReplacesBadBytesOneByOneAndKeepsTheRest) {
  EXPECT_EQ(MakeUtf8("a\xFF\xFE"
                     "b"),
            std::string("a") + kReplacement + kReplacement + "b");
  EXPECT_EQ(MakeUtf8("\xE2\x82"), std::string(kReplacement) + kReplacement);
  EXPECT_EQ(MakeUtf8("\xC3(\xC3\xA4"), std::string(kReplacement) + "(\xC3\xA4");
}

}  // namespace
}  // namespace muster::jobs
