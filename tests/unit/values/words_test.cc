#include "service/values/words.h"

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/values/text.h"

namespace muster::values {
namespace {

std::map<std::string, std::string> MapOf(const Words& words) { return {words.begin(), words.end()}; }

TEST(Words, AreWhatAMapWouldBe) {
  std::mt19937_64 random(20251128);
  for (int round = 0; round < 200; ++round) {
    Words words;
    std::map<std::string, std::string> map;
    for (uint64_t count = random() % 8; count > 0; --count) {
      const std::string key(1, static_cast<char>('a' + random() % 6));
      words[key] = map[key] = std::to_string(random() % 100);
    }
    EXPECT_EQ(MapOf(words), map);
    EXPECT_EQ(words.size(), map.size());
    EXPECT_EQ(words.empty(), map.empty());
    EXPECT_TRUE(std::is_sorted(words.begin(), words.end()));
    for (char letter = 'a'; letter <= 'g'; ++letter) {
      const std::string key(1, letter);
      const auto found = words.find(key);
      ASSERT_EQ(found != words.end(), map.count(key) == 1) << key;
      if (found == words.end()) continue;
      EXPECT_EQ(found->second, map.at(key));
      EXPECT_EQ(words.at(key), map.at(key));
    }
  }
}

TEST(Words, ComeInAnyOrderAndTheFirstOfAKeyCounts) {
  const Words words = {{"b", "1"}, {"a", "2"}, {"b", "3"}};
  EXPECT_EQ(MapOf(words), (std::map<std::string, std::string>{{"a", "2"}, {"b", "1"}}));
  EXPECT_EQ(words.bytes(), 4u);
  const std::vector<std::pair<std::string_view, std::string_view>> none;
  EXPECT_TRUE(Words(none.begin(), none.end()).empty());
}

TEST(Words, AreCopiedMovedAndCompared) {
  Words words = {{"team", "blue"}};
  Words copy = words;
  EXPECT_EQ(copy, words);
  copy["team"] = "red";
  EXPECT_FALSE(copy == words);
  EXPECT_EQ(words.at("team"), "blue");
  copy = std::move(words);
  EXPECT_EQ(copy.at("team"), "blue");
  EXPECT_TRUE(words.empty());  // NOLINT(bugprone-use-after-move): what is asked here
  copy = {};
  EXPECT_TRUE(copy.empty());
  EXPECT_EQ(copy, Words());
}

TEST(Words, TakeAPointerWhileThereAreNone) { EXPECT_EQ(sizeof(Words), sizeof(void*)); }

TEST(Text, IsWhatAStringWouldBe) {
  for (const size_t size : {0, 1, 15, 16, 255, 100'000}) {
    const std::string string(size, 'x');
    const Text text = string;
    EXPECT_EQ(text, string);
    EXPECT_EQ(text.size(), size);
    EXPECT_EQ(text.empty(), size == 0);
    EXPECT_EQ(std::string(text), string);
  }
  EXPECT_EQ(Text(std::string("a\0b", 3)).size(), 3u);
}

TEST(Text, IsCopiedMovedAndCompared) {
  Text text = "one";
  Text copy = text;
  EXPECT_EQ(copy, text);
  copy = "two";
  EXPECT_EQ(text, "one");
  EXPECT_FALSE(copy == text);
  copy = copy.view().substr(1);
  EXPECT_EQ(copy, "wo") << "of itself";
  text = std::move(copy);
  EXPECT_EQ(text, "wo");
  EXPECT_TRUE(copy.empty());  // NOLINT(bugprone-use-after-move): what is asked here
  text = "";
  EXPECT_EQ(text, Text());
  EXPECT_EQ(sizeof(Text), sizeof(void*));
}

}  // namespace
}  // namespace muster::values
