#include "service/jobs/registry.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace muster::jobs {
namespace {

absl::StatusOr<Payload> Nothing(BlockingContext&, Payload) { return Payload(); }
coro::Task<absl::StatusOr<Payload>> Same(JobContext&, Payload input) { co_return input; }

absl::Status Add(Registry& registry, std::string name) {
  return registry.AddBlocking(std::move(name), "", Payload(), Nothing);
}

TEST(Registry, FindsWhatWasAddedAndNothingElse) {
  Registry registry;
  ASSERT_TRUE(registry.AddAsync("b.async", "says the same", Payload::Text("x"), Same).ok());
  ASSERT_TRUE(registry.AddBlocking("a_blocking", "does nothing", Payload(), Nothing).ok());

  const Function* found = registry.Find("b.async");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->kind, values::FunctionKind::kAsync);
  EXPECT_EQ(found->description, "says the same");
  EXPECT_EQ(found->input_example.body(), "x");
  EXPECT_TRUE(found->async);
  EXPECT_FALSE(found->blocking);

  const Function* other = registry.Find("a_blocking");
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(other->kind, values::FunctionKind::kBlocking);

  EXPECT_EQ(registry.Find("b.asyn"), nullptr);
  EXPECT_EQ(registry.Find(""), nullptr);
  ASSERT_EQ(registry.size(), 2u);
  EXPECT_EQ(registry.functions()[0].get(), found);
  EXPECT_EQ(registry.functions()[1].get(), other);
}

TEST(Registry, ListsByName) {
  Registry registry;
  for (const char* name : {"c", "a", "b"}) ASSERT_TRUE(Add(registry, name).ok());
  std::vector<std::string> names;
  for (const Function* function : registry.Sorted()) names.push_back(function->name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(Registry, RefusesANameThatIsTakenAndKeepsTheFirst) {
  Registry registry;
  ASSERT_TRUE(Add(registry, "twice").ok());
  const absl::Status refused = registry.AddAsync("twice", "", Payload(), Same);
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(registry.Find("twice")->kind, values::FunctionKind::kBlocking);
  EXPECT_EQ(registry.size(), 1u);
}

TEST(Registry, NamesHaveAnAlphabetAndABound) {
  Registry registry;
  EXPECT_TRUE(Add(registry, "Aa0._-z").ok());
  EXPECT_TRUE(Add(registry, std::string(128, 'n')).ok());
  for (const std::string& name : {std::string(), std::string(129, 'n'), std::string("a b"), std::string("a/b"),
                                  std::string("a\0b", 3), std::string("\xC3\xA4")}) {
    EXPECT_EQ(Add(registry, name).code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace muster::jobs
