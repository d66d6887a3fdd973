#include "service/runtime/calls/resume_token.h"

#include <string>

#include "gtest/gtest.h"

namespace muster::runtime {
namespace {

values::FutureId Id(uint64_t sequence, values::ShardIndex shard) {
  values::FutureId id;
  id.sequence = sequence;
  id.shard = shard;
  id.incarnation = 1;
  return id;
}

TEST(ResumeTokenTest, SurvivesItsText) {
  ResumeToken token;
  token.set_hash = 0xfedcba9876543210ull;
  token.positions = {{0, 1}, {3, 1ull << 40}, {63, 12345}};
  const auto parsed = ResumeToken::Parse(token.ToText());
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->set_hash, token.set_hash);
  EXPECT_EQ(parsed->positions, token.positions);
}

TEST(ResumeTokenTest, GarbageIsNoToken) {
  ResumeToken token;
  token.set_hash = 99;
  token.positions = {{1, 300}};
  const std::string text = token.ToText();
  EXPECT_FALSE(ResumeToken::Parse("").has_value());
  EXPECT_FALSE(ResumeToken::Parse("***").has_value());
  EXPECT_FALSE(ResumeToken::Parse("AAAA").has_value());
  EXPECT_FALSE(ResumeToken::Parse(text.substr(0, text.size() - 2)).has_value());
}

TEST(ResumeTokenTest, ASetIsTheSameInAnyOrderAndNumber) {
  core::FutureSet a;
  a.ids = {Id(1, 0), Id(2, 5), Id(3, 0)};
  core::FutureSet b;
  b.ids = {Id(3, 0), Id(1, 0), Id(2, 5), Id(1, 0)};
  core::FutureSet c;
  c.ids = {Id(1, 0), Id(2, 5)};
  core::FutureSet group;
  group.group = "g";
  EXPECT_EQ(HashOfSet(a), HashOfSet(b));
  EXPECT_NE(HashOfSet(a), HashOfSet(c));
  EXPECT_NE(HashOfSet(a), HashOfSet(group));
}

}  // namespace
}  // namespace muster::runtime
