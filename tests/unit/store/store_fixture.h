// What the tests of the store share: batches in a line, and all rows of a journal as a map.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/store/journal.h"
#include "service/store/rocks_journal.h"

namespace muster::store {

using Rows = std::map<std::string, std::string>;
using Change = std::pair<std::string, std::optional<std::string>>;

inline Batch MakeBatch(std::initializer_list<Change> changes) {
  Batch batch;
  for (const auto& [key, value] : changes) {
    if (value) {
      batch.Put(key, *value);
    } else {
      batch.Delete(key);
    }
  }
  return batch;
}

inline absl::Status AppendOne(Journal& journal, uint32_t epoch, const Batch& batch) {
  const Batch* const batches[] = {&batch};
  return journal.Append(epoch, batches);
}
inline absl::Status Put(Journal& journal, uint32_t epoch, std::string_view key, std::string_view value) {
  Batch batch;
  batch.Put(key, value);
  return AppendOne(journal, epoch, batch);
}

inline absl::StatusOr<Rows> ReadAll(Journal& journal, std::string_view prefix = {}) {
  Rows rows;
  absl::Status status = journal.Scan(prefix, [&rows](std::string_view key, std::string_view value) {
    EXPECT_TRUE(rows.empty() || rows.rbegin()->first < key) << "out of order";
    rows.emplace(key, value);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return rows;
}

inline bool Contains(const absl::Status& status, std::string_view text) {
  return std::string(status.message()).find(text) != std::string::npos;
}

inline testing::AssertionResult IsOk(const char* expression, const absl::Status& status) {
  if (status.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << expression << ": " << status;
}

}  // namespace muster::store

#define ASSERT_OK(expression) ASSERT_PRED_FORMAT1(::muster::store::IsOk, expression)
#define EXPECT_OK(expression) EXPECT_PRED_FORMAT1(::muster::store::IsOk, expression)
