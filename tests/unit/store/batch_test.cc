#include <gtest/gtest.h>

#include "tests/unit/store/store_fixture.h"

namespace muster::store {
namespace {

std::vector<Change> Changes(const Batch& batch) {
  std::vector<Change> changes;
  batch.ForEach([&changes](std::string_view key, std::optional<std::string_view> value) {
    changes.emplace_back(key, value ? std::optional<std::string>(*value) : std::nullopt);
  });
  return changes;
}

TEST(BatchTest, GivesBackWhatWasPutInInOrder) {
  using std::string_literals::operator""s;
  const std::vector<Change> changes = {
      {"b", "1"}, {"a", std::nullopt}, {"b", std::nullopt}, {"", ""}, {"\0\xff"s, "\0"s}};
  Batch batch;
  EXPECT_TRUE(batch.empty());
  for (const auto& [key, value] : changes) value ? batch.Put(key, *value) : batch.Delete(key);
  EXPECT_EQ(Changes(batch), changes);
  EXPECT_EQ(batch.rows(), 5u);
  EXPECT_FALSE(batch.empty());
  EXPECT_GT(batch.bytes(), 0u);
}

TEST(BatchTest, ClearedIsEmpty) {
  Batch batch = MakeBatch({{"a", "1"}});
  batch.Clear();
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(batch.bytes(), 0u);
  EXPECT_TRUE(Changes(batch).empty());
  batch.Put("b", "2");
  EXPECT_EQ(Changes(batch), (std::vector<Change>{{"b", "2"}}));
}

}  // namespace
}  // namespace muster::store
