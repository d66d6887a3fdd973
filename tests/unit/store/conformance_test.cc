// What every journal promises, whatever it is made of. A journal that survives being closed is opened again on the same
// store.
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "service/base/failpoint.h"
#include "service/store/memory_journal.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/store/store_fixture.h"

namespace muster::store {
namespace {

using std::string_literals::operator""s;

// One store, which is opened again and again.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::unique_ptr<Journal> Open() = 0;
};

class MemoryBackend final : public Backend {
 public:
  std::unique_ptr<Journal> Open() override { return OpenMemoryJournal(store_); }

 private:
  std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
};

class RocksBackend final : public Backend {
 public:
  explicit RocksBackend(base::Durability durability) {
    options_.path = folder_ / "store";
    options_.durability = durability;
  }
  std::unique_ptr<Journal> Open() override {
    auto journal = OpenRocksJournal(options_);
    MUSTER_CHECK(journal.ok()) << journal.status();
    return *std::move(journal);
  }

 private:
  test::TempFolder folder_;
  RocksOptions options_;
};

struct Param {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
  bool has_files = false;
};

class ConformanceTest : public testing::TestWithParam<Param> {
 protected:
  ~ConformanceTest() override { (void)base::ArmFailpoints(""); }

  void Reopen() {
    journal_.reset();
    journal_ = backend_->Open();
  }
  Rows All(std::string_view prefix = {}) {
    auto rows = ReadAll(*journal_, prefix);
    EXPECT_OK(rows.status());
    return rows.ok() ? *rows : Rows();
  }

  std::unique_ptr<Backend> backend_ = GetParam().make();
  std::unique_ptr<Journal> journal_ = backend_->Open();
  uint32_t epoch_ = journal_->TakeOver(0).value();
};

TEST_P(ConformanceTest, KeepsWhatWasAppended) {
  ASSERT_OK(AppendOne(*journal_, epoch_, MakeBatch({{"a", "1"}, {"b", "2"}})));
  ASSERT_OK(AppendOne(*journal_, epoch_, MakeBatch({{"a", std::nullopt}, {"c", "3"}, {"never there", std::nullopt}})));
  const Rows expected = {{"b", "2"}, {"c", "3"}};
  EXPECT_EQ(All(), expected);
  Reopen();
  EXPECT_EQ(All(), expected);
}

TEST_P(ConformanceTest, AppliesRowsInOrderAcrossBatches) {
  const Batch first = MakeBatch({{"a", "1"}, {"a", "2"}, {"b", "1"}});
  const Batch second = MakeBatch({{"b", std::nullopt}, {"a", "3"}, {"c", std::nullopt}, {"c", "1"}});
  const Batch empty;
  const Batch* const batches[] = {&first, &empty, &second};
  ASSERT_OK(journal_->Append(epoch_, batches));
  EXPECT_EQ(All(), (Rows{{"a", "3"}, {"c", "1"}}));
}

TEST_P(ConformanceTest, AnEmptyAppendIsFine) {
  EXPECT_OK(journal_->Append(epoch_, {}));
  EXPECT_OK(AppendOne(*journal_, epoch_, Batch()));
  EXPECT_TRUE(All().empty());
}

TEST_P(ConformanceTest, GetFindsOneRow) {
  ASSERT_OK(AppendOne(*journal_, epoch_, MakeBatch({{"a", "1"}, {"empty", ""}})));
  EXPECT_EQ(journal_->Get("a").value(), "1");
  EXPECT_EQ(journal_->Get("empty").value(), "");
  EXPECT_EQ(journal_->Get("b").value(), std::nullopt);
  EXPECT_EQ(journal_->Get("").value(), std::nullopt);
}

TEST_P(ConformanceTest, ScansByPrefixInOrderOfUnsignedBytes) {
  const Rows rows = {{"a", "1"},         {"a\0"s, "2"}, {"a\x7f", "3"}, {"a\x80", "4"},       {"a\xff", "5"},
                     {"a\xff\xff", "6"}, {"b", "7"},    {"\xff", "8"},  {"\xff\xff\x01", "9"}};
  Batch batch;
  for (const auto& [key, value] : rows) batch.Put(key, value);
  ASSERT_OK(AppendOne(*journal_, epoch_, batch));
  EXPECT_EQ(All(), rows);
  EXPECT_EQ(All("a").size(), 6u);
  EXPECT_EQ(All("a\xff"), (Rows{{"a\xff", "5"}, {"a\xff\xff", "6"}}));
  EXPECT_EQ(All("\xff"), (Rows{{"\xff", "8"}, {"\xff\xff\x01", "9"}}));
  EXPECT_TRUE(All("c").empty());
}

TEST_P(ConformanceTest, KeysAreOpaque) {
  const Rows rows = {{"", "empty"},
                     {"\0"s, "zero"},
                     {"\0\0"s, "two zeros"},
                     {"\0\0commit"s, "own"},
                     {"\0\0epoch"s, "9"},
                     {"\0\1"s, "zero one"},
                     {"\0\xff"s, "zero and ff"},
                     {"\1"s, "one"},
                     {"\1\0"s, "1 0"},
                     {std::string(1000, 'k'), "long"}};
  Batch batch;
  for (const auto& [key, value] : rows) batch.Put(key, value);
  ASSERT_OK(AppendOne(*journal_, epoch_, batch));
  EXPECT_EQ(All(), rows);
  EXPECT_EQ(All("\0"s).size(), 6u);
  EXPECT_EQ(All("\0\0"s).size(), 3u);
  for (const auto& [key, value] : rows) EXPECT_EQ(journal_->Get(key).value(), value);
  Reopen();
  EXPECT_EQ(All(), rows);
  batch.Clear();
  for (const auto& [key, value] : rows) batch.Delete(key);
  epoch_ = journal_->TakeOver(0).value();
  ASSERT_OK(AppendOne(*journal_, epoch_, batch));
  EXPECT_TRUE(All().empty());
}

TEST_P(ConformanceTest, AScanSeesTheRowsAsOfItsStart) {
  ASSERT_OK(AppendOne(*journal_, epoch_, MakeBatch({{"a", "1"}, {"b", "1"}})));
  Rows seen;
  ASSERT_OK(journal_->Scan("", [&](std::string_view key, std::string_view value) {
    seen.emplace(key, value);
    return AppendOne(*journal_, epoch_, MakeBatch({{"b", "2"}, {"c", "2"}}));
  }));
  EXPECT_EQ(seen, (Rows{{"a", "1"}, {"b", "1"}}));
  EXPECT_EQ(All(), (Rows{{"a", "1"}, {"b", "2"}, {"c", "2"}}));
}

TEST_P(ConformanceTest, AVisitorEndsTheScanWithItsStatus) {
  ASSERT_OK(AppendOne(*journal_, epoch_, MakeBatch({{"a", "1"}, {"b", "1"}})));
  int visits = 0;
  const absl::Status status = journal_->Scan("", [&visits](std::string_view, std::string_view) {
    ++visits;
    return absl::CancelledError("enough");
  });
  EXPECT_EQ(status, absl::CancelledError("enough"));
  EXPECT_EQ(visits, 1);
}

TEST_P(ConformanceTest, ABigValueComesBackWhole) {
  std::string big(16u << 20, '\0');
  uint32_t state = 1;
  for (char& c : big) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  ASSERT_OK(AppendOne(*journal_, epoch_, MakeBatch({{"small", "1"}, {"big", big}})));
  EXPECT_TRUE(journal_->Get("big").value() == big);
  Reopen();
  EXPECT_TRUE(journal_->Get("big").value() == big);
  ASSERT_OK(journal_->Verify());
}

TEST_P(ConformanceTest, ASecondOwnerFencesTheFirst) {
  ASSERT_OK(Put(*journal_, epoch_, "a", "first"));
  const uint32_t second = journal_->TakeOver(0).value();
  EXPECT_GT(second, epoch_);
  EXPECT_EQ(Put(*journal_, epoch_, "a", "stale").code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_OK(Put(*journal_, second, "b", "second"));
  EXPECT_EQ(All(), (Rows{{"a", "first"}, {"b", "second"}}));
}

TEST_P(ConformanceTest, EpochsRiseAcrossReopening) {
  const uint32_t second = journal_->TakeOver(100).value();
  EXPECT_EQ(second, 100u);
  EXPECT_EQ(journal_->TakeOver(7).value(), 101u);
  Reopen();
  EXPECT_EQ(journal_->TakeOver(0).value(), 102u);
  EXPECT_EQ(Put(*journal_, 101, "a", "stale").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(ConformanceTest, NobodyOwnsUnderEpochZeroAndEpochsEnd) {
  auto backend = GetParam().make();
  auto fresh = backend->Open();
  EXPECT_EQ(Put(*fresh, 0, "a", "1").code(), absl::StatusCode::kFailedPrecondition);
  constexpr uint32_t kLast = std::numeric_limits<uint32_t>::max();
  EXPECT_EQ(fresh->TakeOver(kLast).value(), kLast);
  EXPECT_EQ(fresh->TakeOver(0).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_OK(Put(*fresh, kLast, "a", "1"));
}

TEST_P(ConformanceTest, AFailedAppendFailsForGoodAndReadsGoOn) {
  ASSERT_OK(Put(*journal_, epoch_, "a", "1"));
  ASSERT_OK(base::ArmFailpoints("journal.write:fail:2"));
  ASSERT_OK(Put(*journal_, epoch_, "b", "2"));
  const absl::Status first = Put(*journal_, epoch_, "c", "3");
  EXPECT_EQ(first.code(), absl::StatusCode::kUnavailable);
  ASSERT_OK(base::ArmFailpoints(""));
  EXPECT_EQ(Put(*journal_, epoch_, "d", "4"), first);
  EXPECT_EQ(journal_->Sync(), first);
  EXPECT_EQ(All(), (Rows{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(journal_->Get("a").value(), "1");
  Reopen();
  EXPECT_EQ(All(), (Rows{{"a", "1"}, {"b", "2"}}));
  EXPECT_OK(Put(*journal_, journal_->TakeOver(0).value(), "d", "4"));
}

TEST_P(ConformanceTest, SyncCompactAndVerifySucceed) {
  ASSERT_OK(AppendOne(*journal_, epoch_, MakeBatch({{"a", "1"}, {"b", "1"}})));
  ASSERT_OK(AppendOne(*journal_, epoch_, MakeBatch({{"a", std::nullopt}})));
  EXPECT_OK(journal_->Sync());
  EXPECT_OK(journal_->Verify());
  EXPECT_OK(journal_->Compact());
  EXPECT_OK(journal_->Verify());
  EXPECT_EQ(All(), (Rows{{"b", "1"}}));
}

TEST_P(ConformanceTest, CountsWhatItDid) {
  ASSERT_OK(AppendOne(*journal_, epoch_, MakeBatch({{"a", "1"}, {"b", "1"}})));
  ASSERT_OK(AppendOne(*journal_, epoch_, MakeBatch({{"c", "1"}})));
  EXPECT_FALSE(Put(*journal_, epoch_ + 1, "d", "1").ok());
  const JournalStats stats = journal_->stats();
  EXPECT_EQ(stats.commits, 2u);
  EXPECT_EQ(stats.rows, 3u);
  EXPECT_GT(stats.log_bytes, 6u);
  EXPECT_GE(stats.live_rows, 3u);
  EXPECT_LE(stats.live_rows, 5u) << "an estimate, but not a wild one";
  EXPECT_EQ(stats.background_errors, 0u);
  EXPECT_EQ(stats.disk_bytes > 0, GetParam().has_files);
  EXPECT_EQ(stats.free_bytes > 0, GetParam().has_files);
}

TEST_P(ConformanceTest, BacksUpOrSaysThatItCannot) {
  test::TempFolder folder;
  ASSERT_OK(Put(*journal_, epoch_, "a", "1"));
  const absl::Status status = journal_->Backup(folder / "backup");
  EXPECT_EQ(status.code(), GetParam().has_files ? absl::StatusCode::kOk : absl::StatusCode::kUnimplemented) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Journals, ConformanceTest,
    testing::Values(Param{"Memory", [] { return std::make_unique<MemoryBackend>(); }, false},
                    Param{"RocksSync", [] { return std::make_unique<RocksBackend>(base::Durability::kSync); }, true},
                    Param{"RocksAsync", [] { return std::make_unique<RocksBackend>(base::Durability::kAsync); }, true}),
    [](const testing::TestParamInfo<Param>& info) { return info.param.name; });

TEST(MemoryJournalTest, FailsForGoodWhenTheDiskDoes) {
  auto store = std::make_shared<MemoryStore>();
  auto journal = OpenMemoryJournal(store);
  const uint32_t epoch = journal->TakeOver(0).value();
  {
    base::MutexLock lock(store->mutex);
    store->appends_left = 1;
  }
  EXPECT_OK(Put(*journal, epoch, "a", "1"));
  EXPECT_EQ(Put(*journal, epoch, "b", "2").code(), absl::StatusCode::kUnavailable);
  {
    base::MutexLock lock(store->mutex);
    store->appends_left = -1;
  }
  EXPECT_EQ(Put(*journal, epoch, "b", "2").code(), absl::StatusCode::kUnavailable) << "a journal that failed stays so";
  journal = OpenMemoryJournal(store);
  EXPECT_EQ(ReadAll(*journal).value(), (Rows{{"a", "1"}}));
  EXPECT_OK(Put(*journal, epoch, "b", "2"));
}

TEST(MemoryJournalTest, AnotherJournalOnTheSameStoreFencesTheFirst) {
  auto store = std::make_shared<MemoryStore>();
  auto first = OpenMemoryJournal(store);
  const uint32_t epoch = first->TakeOver(0).value();
  auto second = OpenMemoryJournal(store);
  EXPECT_GT(second->TakeOver(0).value(), epoch);
  EXPECT_EQ(Put(*first, epoch, "a", "1").code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace muster::store
