#include <random>
#include <set>

#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

TEST(FutureIdTest, TheTextComesBackAsTheId) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    FutureId id;
    id.sequence = (random() & 0xffffffffffff) | 1;
    id.incarnation = random() & 0x3fffffff;
    id.slot = static_cast<uint32_t>(random());
    id.shard = static_cast<ShardIndex>(random() & 0x3ff);
    id.ns_tag = static_cast<uint16_t>(random());
    const std::string text = id.ToText();
    ASSERT_EQ(text.size(), 28u);
    ASSERT_EQ(FutureId::Parse(text), id);
  }
}

TEST(FutureIdTest, WhatIsNoIdIsRefused) {
  const std::string good = FutureId{5, 1, 2, 3, 4}.ToText();
  for (const std::string& bad : {std::string(), std::string("x"), good + "0", good.substr(1), std::string(28, 'u'),
                                 std::string(28, '0'), std::string("\xff") + good.substr(1)}) {
    EXPECT_FALSE(FutureId::Parse(bad).has_value()) << bad;
  }
  std::string upper = good;
  for (char& c : upper) c = static_cast<char>(toupper(c));
  EXPECT_FALSE(FutureId::Parse(upper).has_value() && upper != good);
}

TEST(FutureIdTest, MostTypingErrorsAreNoticed) {
  const std::string good = FutureId{123456, 7, 42, 3, 999}.ToText();
  int accepted = 0, tried = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    for (char c : std::string("0123456789abcdefghjkmnpqrstvwxyz")) {
      std::string typo = good;
      if (typo[at] == c) continue;
      typo[at] = c;
      accepted += FutureId::Parse(typo).has_value();
      ++tried;
    }
  }
  EXPECT_LT(accepted, tried / 8);
}

TEST(FutureIdTest, NamespacesHaveTags) { EXPECT_NE(NamespaceTag("default"), NamespaceTag("other")); }

TEST_F(CoreTest, IdsAreNeverUsedAgain) {
  std::set<FutureId> seen;
  for (int round = 0; round < 100; ++round) {
    const FutureId id = Promise();
    EXPECT_TRUE(seen.insert(id).second);
    Settle(id, Text(""));
    Run([&] { EXPECT_TRUE(test::Delete(shard, kNs, id, now, out).ok()); });
  }
  for (const FutureId& id : seen) EXPECT_EQ(WhyNot(id), base::Reason::kFutureExpired);
}

TEST_F(CoreTest, AnIdThatNeverWasIsNotFound) {
  FutureId id = Promise();
  id.sequence += 1;
  EXPECT_EQ(WhyNot(id), base::Reason::kFutureNotFound);
  id.shard = 3;
  id.sequence = 1;
  EXPECT_EQ(WhyNot(id), base::Reason::kFutureNotFound);
  EXPECT_EQ(WhyNot(FutureId()), base::Reason::kFutureNotFound);
}

TEST_F(CoreTest, AnotherNamespaceSeesNothing) {  // semantics 52
  const FutureId live = Promise();
  const FutureId gone = Promise();
  Settle(gone, Text(""));
  Run([&] { EXPECT_TRUE(test::Delete(shard, kNs, gone, now, out).ok()); });
  for (bool known : {false, true}) {
    if (known) shard.KnowNamespace(2, 12);
    for (const FutureId& id : {live, gone}) {
      EXPECT_EQ(WhyNot(test::Get(shard, 2, id, false).status()), base::Reason::kFutureNotFound);
    }
  }
  // Even one whose tag happens to be the same cannot see what lives.
  shard.KnowNamespace(3, kTag);
  EXPECT_EQ(WhyNot(test::Get(shard, 3, live, false).status()), base::Reason::kFutureNotFound);
}

class SecondIncarnationTest : public CoreTest {
 protected:
  SecondIncarnationTest()
      : CoreTest([] {
          ShardOptions options;
          options.incarnation = 2;
          return options;
        }()) {}
};

TEST_F(SecondIncarnationTest, WhatAnEarlierOneLeftIsLost) {
  const FutureId old{7, 1, 0, 0, kTag};
  EXPECT_EQ(WhyNot(old), base::Reason::kFutureLost);
  shard.KnowNamespace(kNs, kTag);
  EXPECT_EQ(WhyNot(old), base::Reason::kFutureLost);
  const FutureId foreign{7, 1, 0, 0, kTag + 1};
  EXPECT_EQ(WhyNot(foreign), base::Reason::kFutureNotFound);
  const FutureId future{7, 3, 0, 0, kTag};
  EXPECT_EQ(WhyNot(future), base::Reason::kFutureNotFound);
}

}  // namespace
}  // namespace muster::core
