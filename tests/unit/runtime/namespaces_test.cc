#include "service/runtime/namespaces.h"

#include <string>

#include "gtest/gtest.h"

#include "service/base/reason.h"

namespace muster::runtime {
namespace {

TEST(NamespacesTest, EmptyMeansDefaultAndNamesAreKept) {
  Namespaces namespaces(10);
  const Namespace made = *namespaces.Open("");
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
  const Namespace a = *namespaces.Open("a");
  const Namespace b = *namespaces.Open("b");
  namespaces.AddBytes(a.id, 100);
  namespaces.AddBytes(b.id, 11);
  namespaces.AddBytes(a.id, -40);
  EXPECT_EQ(namespaces.BytesHeld(a.id), 60);
  EXPECT_EQ(namespaces.BytesHeldByAll(), 71);
}

}  // namespace
}  // namespace muster::runtime
