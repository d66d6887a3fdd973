#include "service/runtime/namespaces.h"

#include <algorithm>
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

TEST(NamespacesTest, OnMadeHearsOfThoseThatAreMadeAlone) {
  Namespaces namespaces(3);
  std::vector<std::pair<values::NamespaceId, std::string>> made;
  namespaces.OnMade([&made](values::NamespaceId id, const std::string& name) { made.emplace_back(id, name); });
  EXPECT_TRUE(namespaces.Restore(4, "old"));
  EXPECT_TRUE(namespaces.Open("old").ok());
  EXPECT_TRUE(namespaces.Open("").ok());
  EXPECT_TRUE(namespaces.Open("default").ok());
  EXPECT_FALSE(namespaces.Open("Bad").ok());
  EXPECT_TRUE(namespaces.Open("new").ok());
  EXPECT_FALSE(namespaces.Open("one-too-many").ok());
  EXPECT_EQ(made, (std::vector<std::pair<values::NamespaceId, std::string>>{{5, "default"}, {6, "new"}}));
}

}  // namespace
}  // namespace muster::runtime
