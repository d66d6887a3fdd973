#include "service/runtime/admission/namespaces.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "service/base/reason.h"

namespace muster::runtime {
namespace {

TEST(NamespacesTest, EmptyMeansDefaultAndNamesAreKept) {
  Namespaces namespaces(10);
  const values::Namespace made = *namespaces.Open("");
  EXPECT_EQ(namespaces.Open("default")->id, made.id);
  EXPECT_EQ(namespaces.Name(made.id), "default");
  EXPECT_NE(namespaces.Open("team-a")->id, made.id);
  EXPECT_EQ(namespaces.size(), 2u);
}

TEST(NamespacesTest, BadNamesAreRefusedWithTheRule) {
  Namespaces namespaces(10);
  for (const std::string& bad : {std::string("Upper"), std::string("-a"), std::string("a-"), std::string("a b"),
                                 std::string("a\0b", 3), std::string(64, 'a'), std::string("\xc3\xa4")}) {
    const auto opened = namespaces.Open(bad);
    EXPECT_EQ(base::ReasonOf(opened.status()), base::Reason::kInvalidField) << bad;
    EXPECT_EQ(base::FieldOf(opened.status()), "namespace");
  }
  EXPECT_TRUE(namespaces.Open(std::string(63, 'a')).ok());
}

TEST(NamespacesTest, BytesAddUpByNamespaceAndInAll) {
  Namespaces namespaces(10);
  const values::Namespace a = *namespaces.Open("a");
  const values::Namespace b = *namespaces.Open("b");
  namespaces.AddBytes(a.id, 100);
  namespaces.AddBytes(b.id, 11);
  namespaces.AddBytes(a.id, -40);
  EXPECT_EQ(namespaces.BytesHeld(a.id), 60);
  EXPECT_EQ(namespaces.BytesHeldByAll(), 71);
}

TEST(NamespacesTest, RestoredOnesKeepTheirIdsAndNewOnesFollowThem) {
  Namespaces namespaces(10);
  EXPECT_TRUE(namespaces.Restore(7, "seven"));  // in any order, with gaps
  EXPECT_TRUE(namespaces.Restore(2, "two"));
  EXPECT_EQ(namespaces.Open("seven")->id, 7u);
  EXPECT_EQ(namespaces.Open("two")->id, 2u);
  EXPECT_EQ(namespaces.Name(7), "seven");
  EXPECT_EQ(namespaces.Open("next")->id, 8u);  // a gap may be one that rows still name
  for (const values::NamespaceId there : {2u, 7u, 8u}) EXPECT_TRUE(namespaces.Has(there)) << there;
  for (const values::NamespaceId not_there : {0u, 1u, 3u, 9u, 17u, 1'000'000u, 0xffffffffu}) {
    EXPECT_FALSE(namespaces.Has(not_there)) << not_there;
  }
  namespaces.AddBytes(7, 5);
  EXPECT_EQ(namespaces.BytesHeld(7), 5);
  std::vector<values::NamespaceId> all;
  for (const values::Namespace& each : namespaces.All()) {
    EXPECT_EQ(each.tag, values::NamespaceTag(namespaces.Name(each.id)));
    all.push_back(each.id);
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (std::vector<values::NamespaceId>{2, 7, 8}));
}

TEST(NamespacesTest, WhatContradictsAnotherIsNotRestored) {
  Namespaces namespaces(10);
  EXPECT_TRUE(namespaces.Restore(1, "a"));
  EXPECT_FALSE(namespaces.Restore(1, "b"));             // two names of one id
  EXPECT_FALSE(namespaces.Restore(2, "a"));             // two ids of one name
  EXPECT_FALSE(namespaces.Restore(0, "zero"));          // 0 is no namespace
  EXPECT_FALSE(namespaces.Restore(0xffffffff, "far"));  // would take all memory
  EXPECT_FALSE(namespaces.Restore(3, "No Name"));
  EXPECT_FALSE(namespaces.Restore(3, ""));
  EXPECT_EQ(namespaces.size(), 1u);
  EXPECT_FALSE(namespaces.Has(2));
  EXPECT_EQ(namespaces.Open("b")->id, 2u);
}

TEST(NamespacesTest, MoreThanTheLimitAreRestoredAndNoneIsMadeThen) {
  Namespaces namespaces(2);
  for (values::NamespaceId id = 1; id <= 5; ++id) EXPECT_TRUE(namespaces.Restore(id, "n" + std::to_string(id)));
  EXPECT_EQ(namespaces.size(), 5u);
  EXPECT_EQ(namespaces.Open("n5")->id, 5u);
  EXPECT_EQ(base::ReasonOf(namespaces.Open("n6").status()), base::Reason::kTooManyNamespaces);
}

TEST(NamespacesTest, ARowIsClaimedForThoseThatAreMadeAlone) {
  Namespaces namespaces(3);
  std::vector<std::pair<values::NamespaceId, std::string>> claimed;
  namespaces.ClaimBy([&claimed](values::NamespaceId id, const std::string& name) {
    claimed.emplace_back(id, name);
    return name;
  });
  EXPECT_TRUE(namespaces.Restore(4, "old"));
  EXPECT_TRUE(namespaces.Open("old").ok());
  EXPECT_TRUE(namespaces.Open("").ok());
  EXPECT_TRUE(namespaces.Open("default").ok());
  EXPECT_FALSE(namespaces.Open("Bad").ok());
  EXPECT_TRUE(namespaces.Open("new").ok());
  EXPECT_FALSE(namespaces.Open("one-too-many").ok());
  EXPECT_EQ(claimed, (std::vector<std::pair<values::NamespaceId, std::string>>{{5, "default"}, {6, "new"}}));
}

// Two servers that make namespaces of one store: whoever writes a row first has it.
TEST(NamespacesTest, TheFirstWriterOfARowHasItAndTheOtherLearnsOfIt) {
  std::map<values::NamespaceId, std::string> rows;
  const auto claim = [&rows](values::NamespaceId id, const std::string& name) {
    return rows.try_emplace(id, name).first->second;
  };
  Namespaces one(10);
  Namespaces other(10);
  one.ClaimBy(claim);
  other.ClaimBy(claim);
  EXPECT_EQ(one.Open("a")->id, 1u);
  EXPECT_EQ(one.Open("b")->id, 2u);
  EXPECT_EQ(other.Open("c")->id, 3u);  // behind two that it had not heard of
  EXPECT_EQ(other.Open("b")->id, 2u);
  EXPECT_EQ(other.Name(1), "a");
  EXPECT_EQ(other.size(), 3u);
  EXPECT_EQ(one.Open("c")->id, 3u);  // made by the other meanwhile: the same number
  EXPECT_EQ(one.Open("d")->id, 4u);
  EXPECT_EQ(rows, (std::map<values::NamespaceId, std::string>{{1, "a"}, {2, "b"}, {3, "c"}, {4, "d"}}));
}

TEST(NamespacesTest, WhatOthersMadeCountsTowardsTheLimit) {
  std::map<values::NamespaceId, std::string> rows = {{1, "a"}, {2, "b"}};
  Namespaces namespaces(3);
  namespaces.ClaimBy(
      [&rows](values::NamespaceId id, const std::string& name) { return rows.try_emplace(id, name).first->second; });
  EXPECT_EQ(namespaces.Open("c")->id, 3u);  // the last of three
  EXPECT_EQ(base::ReasonOf(namespaces.Open("d").status()), base::Reason::kTooManyNamespaces);
  EXPECT_EQ(rows.size(), 3u);
}

TEST(NamespacesTest, ARowThatCannotBeReadMakesNoNamespace) {
  Namespaces namespaces(3);
  bool damaged = true;
  namespaces.ClaimBy([&damaged](values::NamespaceId, const std::string& name) -> absl::StatusOr<std::string> {
    if (damaged) return absl::DataLossError("the row is damaged");
    return name;
  });
  EXPECT_TRUE(absl::IsDataLoss(namespaces.Open("a").status()));
  EXPECT_EQ(namespaces.size(), 0u);
  damaged = false;
  EXPECT_EQ(namespaces.Open("a")->id, 1u);
}

TEST(NamespacesTest, OneNameInTwoRowsIsDamage) {
  Namespaces namespaces(3);
  EXPECT_TRUE(namespaces.Restore(1, "a"));
  namespaces.ClaimBy([](values::NamespaceId, const std::string&) { return std::string("a"); });
  EXPECT_TRUE(absl::IsDataLoss(namespaces.Open("b").status()));
}

}  // namespace
}  // namespace muster::runtime
