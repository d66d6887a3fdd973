#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/rows/rows.h"
#include "tests/unit/rows/records.h"

namespace muster::rows {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(RowKeyTest, EachTablesKeyComesBack) {
  std::string key = "what was there before";
  FutureKey(0x0102, 0x0a0b0c0d0e0f, Part::kMembers, key);
  EXPECT_EQ(ToHex(key), "66010200000a0b0c0d0e0f02");
  absl::StatusOr<Key> parsed = ParseKey(key);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->table, Table::kFuture);
  EXPECT_EQ(parsed->shard, 0x0102);
  EXPECT_EQ(parsed->sequence, 0x0a0b0c0d0e0fu);
  EXPECT_EQ(parsed->part, Part::kMembers);

  RequestKey(7, 0xfffefdfc, std::string_view("a\0b", 3), key);
  EXPECT_EQ(ToHex(key), "720007fffefdfc610062");
  parsed = ParseKey(key);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->table, Table::kRequest);
  EXPECT_EQ(parsed->shard, 7);
  EXPECT_EQ(parsed->number, 0xfffefdfcu);
  EXPECT_EQ(parsed->request_id, std::string_view("a\0b", 3));

  MarksKey(1023, key);
  EXPECT_EQ(ToHex(key), "6b03ff");
  parsed = ParseKey(key);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->table, Table::kMarks);
  EXPECT_EQ(parsed->shard, 1023);

  NamespaceKey(258, key);
  EXPECT_EQ(ToHex(key), "6e00000102");
  parsed = ParseKey(key);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->table, Table::kNamespace);
  EXPECT_EQ(parsed->number, 258u);

  FunctionKey(3, key);
  EXPECT_EQ(ToHex(key), "7500000003");
  parsed = ParseKey(key);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->table, Table::kFunction);
  EXPECT_EQ(parsed->number, 3u);

  HeaderKey(key);
  EXPECT_EQ(ToHex(key), "76");
  parsed = ParseKey(key);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->table, Table::kHeader);
}

TEST(RowKeyTest, KeysSortAsTheirNumbersDo) {
  RandomRecords random(1);
  std::vector<std::tuple<values::ShardIndex, uint64_t, Part, std::string>> futures;
  std::vector<std::tuple<values::ShardIndex, values::NamespaceId, std::string, std::string>> requests;
  for (int round = 0; round < 2000; ++round) {
    const auto shard = static_cast<values::ShardIndex>(random.Number(10));
    const uint64_t sequence = random.Number(48);
    const Part part = static_cast<Part>(random.Below(3));
    std::string key;
    FutureKey(shard, sequence, part, key);
    futures.emplace_back(shard, sequence, part, key);
    const values::NamespaceId ns = random.Number32();
    const std::string text = random.Text();
    RequestKey(shard, ns, text, key);
    requests.emplace_back(shard, ns, text, key);
  }
  std::sort(futures.begin(), futures.end());
  std::sort(requests.begin(), requests.end());
  for (size_t at = 1; at < futures.size(); ++at) {
    ASSERT_LE(std::get<3>(futures[at - 1]), std::get<3>(futures[at]));
    ASSERT_LE(std::get<3>(requests[at - 1]), std::get<3>(requests[at]));
  }
}

TEST(RowKeyTest, AShardsPrefixHoldsItsKeysAndNoOthers) {
  for (const values::ShardIndex shard : {0, 1, 255, 256, 1023}) {
    std::string future, request, marks, other;
    FutureKey(shard, 5, Part::kFuture, future);
    RequestKey(shard, 5, "x", request);
    MarksKey(shard, marks);
    FutureKey(shard ^ 1, 5, Part::kFuture, other);
    EXPECT_THAT(future, StartsWith(ShardPrefix(Table::kFuture, shard)));
    EXPECT_THAT(request, StartsWith(ShardPrefix(Table::kRequest, shard)));
    EXPECT_THAT(marks, StartsWith(ShardPrefix(Table::kMarks, shard)));
    EXPECT_THAT(other, ::testing::Not(StartsWith(ShardPrefix(Table::kFuture, shard))));
  }
}

TEST(RowKeyTest, WhatIsNoKeyIsRefused) {
  std::string future, request, marks, ns, header;
  FutureKey(1, 2, Part::kFuture, future);
  RequestKey(1, 2, "", request);
  MarksKey(1, marks);
  NamespaceKey(1, ns);
  HeaderKey(header);
  std::string wrong_part = future;
  wrong_part.back() = 3;
  const std::pair<std::string, std::string> cases[] = {
      {"", "empty"},
      {"x", "table 0x78"},
      {std::string("\xff\0", 2), "table 0xff"},
      {future.substr(0, 11), "11 bytes instead of 12"},
      {future + "0", "13 bytes instead of 12"},
      {wrong_part, "part 3 is unknown"},
      {request.substr(0, 6), "6 bytes instead of at least 7"},
      {marks + "0", "marks: 4 bytes instead of 3"},
      {ns.substr(0, 4), "a namespace: 4 bytes instead of 5"},
      {header + "v", "the header: 2 bytes instead of 1"},
  };
  for (const auto& [key, says] : cases) {
    const absl::StatusOr<Key> parsed = ParseKey(key);
    ASSERT_EQ(parsed.status().code(), absl::StatusCode::kDataLoss) << ToHex(key);
    EXPECT_THAT(parsed.status().message(), HasSubstr(says));
  }
}

}  // namespace
}  // namespace muster::rows
