// The power goes off at any moment, five hundred times: what was acknowledged is there afterwards, each append is there
// as a whole or not at all, and no store is refused.
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "service/base/log.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/store/store_fixture.h"

namespace muster::store {
namespace {

void Silent(base::LogLevel, std::string_view, std::span<const base::LogField>) {}

// A store on a disk whose power is cut again and again, and what is known about it.
class World {
 public:
  World(uint64_t seed, base::Durability durability)
      : random_(seed),
        disk_(std::make_shared<test::FaultFileSystem>(seed, folder_ / "graveyard")),
        env_(test::MakeFaultEnv(disk_)) {
    options_.path = folder_ / "store";
    options_.durability = durability;
    options_.log_bytes_max = 64 << 10;  // logs are turned over, and files compacted, all the time
    options_.env = env_.get();
  }

  test::FaultFileSystem& disk() { return *disk_; }

  // Opens, checks, appends until the power goes off.
  void LiveUntilCut() {
    disk_->CutAfter(static_cast<int64_t>(1 + Below(Below(2) == 0 ? 40 : 400)));
    absl::StatusOr<std::unique_ptr<Journal>> journal = OpenRocksJournal(options_);
    if (!journal.ok()) {
      ASSERT_TRUE(disk_->is_cut()) << journal.status();
    } else {
      Check(**journal);
      if (testing::Test::HasFatalFailure()) return;
      AppendUntilCut(**journal);
    }
    journal = absl::UnavailableError("closed");
    disk_->LoseWhatWasNotSynced();
  }

  void CheckAtTheEnd() {
    auto journal = OpenRocksJournal(options_);
    ASSERT_OK(journal.status());
    Check(**journal);
    ASSERT_OK((*journal)->Verify());
  }

  uint64_t commits() const { return commits_; }
  uint64_t opens() const { return opens_; }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // One of the states that may have come back: what is certain, and each append after it.
  void Check(Journal& journal) {
    if (disk_->is_cut()) return;
    auto rows = ReadAll(journal);
    if (!rows.ok()) {
      ASSERT_TRUE(disk_->is_cut()) << rows.status();
      return;
    }
    ++opens_;
    Rows state = certain_;
    size_t applied = 0;
    while (state != *rows && applied < uncertain_.size()) Apply(uncertain_[applied++], state);
    ASSERT_TRUE(state == *rows) << "neither what is certain (" << certain_.size() << " rows) nor that and any of "
                                << uncertain_.size() << " appends, but " << rows->size() << " rows";
    certain_ = std::move(state);
    uncertain_.clear();
  }

  static void Apply(const std::vector<Change>& changes, Rows& rows) {
    for (const auto& [key, value] : changes) {
      if (value) {
        rows[key] = *value;
      } else {
        rows.erase(key);
      }
    }
  }

  std::vector<Change> RandomChanges() {
    std::vector<Change> changes(1 + Below(8));
    for (auto& [key, value] : changes) {
      // Most rows are made under a growing key and deleted later; a few are written again and again.
      const uint64_t what = Below(10);
      if (what < 5) {
        key = fmt::format("f{:08}", next_key_++);
      } else if (what < 8) {
        key = fmt::format("f{:08}", next_key_ - std::min(next_key_, Below(100)));
      } else {
        key = fmt::format("mark{}", Below(3));
      }
      if (what < 5 || what >= 8) value = std::string(Below(Below(10) == 0 ? 4000 : 100), static_cast<char>(random_()));
    }
    return changes;
  }

  absl::Status Append(Journal& journal, uint32_t epoch, const std::vector<Change>& changes) {
    std::vector<Batch> batches(1 + Below(3));
    for (size_t i = 0; i < changes.size(); ++i) {
      Batch& batch = batches[i * batches.size() / changes.size()];
      const auto& [key, value] = changes[i];
      value ? batch.Put(key, *value) : batch.Delete(key);
    }
    std::vector<const Batch*> pointers;
    for (const Batch& batch : batches) pointers.push_back(&batch);
    return journal.Append(epoch, pointers);
  }

  void AppendUntilCut(Journal& journal) {
    const auto epoch = journal.TakeOver(0);
    if (!epoch.ok()) {
      ASSERT_TRUE(disk_->is_cut()) << epoch.status();
      return;
    }
    ASSERT_GT(*epoch, epoch_) << "an epoch that was handed out came back";
    epoch_ = *epoch;
    const bool sync = options_.durability == base::Durability::kSync;
    for (;;) {
      const std::vector<Change> changes = RandomChanges();
      uncertain_.push_back(changes);
      if (const absl::Status status = Append(journal, epoch_, changes); !status.ok()) {
        ASSERT_TRUE(disk_->is_cut()) << status;
        return;
      }
      ++commits_;
      if (!sync && (Below(10) != 0 || !journal.Sync().ok())) continue;
      for (const auto& each : uncertain_) Apply(each, certain_);
      uncertain_.clear();
    }
  }

  test::TempFolder folder_;
  std::mt19937_64 random_;
  std::shared_ptr<test::FaultFileSystem> disk_;
  std::unique_ptr<rocksdb::Env> env_;
  RocksOptions options_;

  Rows certain_;
  std::vector<std::vector<Change>> uncertain_;  // appended since; in kSync at most the one that failed
  uint32_t epoch_ = 0;
  uint64_t next_key_ = 0;
  uint64_t commits_ = 0;
  uint64_t opens_ = 0;
};

class PowerTest : public testing::TestWithParam<base::Durability> {
 protected:
  PowerTest() { base::SetLogSink(&Silent, base::LogLevel::kError); }
  ~PowerTest() override { base::SetLogSink(nullptr, base::LogLevel::kWarning); }
};

TEST_P(PowerTest, WhatWasAcknowledgedSurvivesFiveHundredCuts) {
  constexpr int kStores = 25;
  constexpr int kCuts = 20;
  const char* const given = std::getenv("MUSTER_TEST_SEED");
  const uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  uint64_t commits = 0;
  uint64_t opens = 0;
  for (uint64_t seed = first; seed < first + kStores; ++seed) {
    SCOPED_TRACE(fmt::format("MUSTER_TEST_SEED={}", seed));
    World world(seed, GetParam());
    for (int cut = 0; cut < kCuts; ++cut) {
      SCOPED_TRACE(fmt::format("cut {}", cut));
      world.LiveUntilCut();
      if (HasFatalFailure()) return;
    }
    world.CheckAtTheEnd();
    if (HasFatalFailure()) return;
    commits += world.commits();
    opens += world.opens();
  }
  // A world in which nothing happens proves nothing.
  EXPECT_GT(commits, 2000u);
  EXPECT_GT(opens, 200u);
  RecordProperty("commits", static_cast<int>(commits));
  RecordProperty("opens", static_cast<int>(opens));
}

INSTANTIATE_TEST_SUITE_P(Durabilities, PowerTest, testing::Values(base::Durability::kSync, base::Durability::kAsync),
                         [](const testing::TestParamInfo<base::Durability>& info) {
                           return std::string(base::DurabilityName(info.param));
                         });

// The test above must be able to fail: on a disk that syncs nothing, acknowledged work is lost, and is missed.
TEST(PowerTestItself, NoticesADiskThatDoesNotSync) {
  base::SetLogSink(&Silent, base::LogLevel::kError);
  test::TempFolder folder;
  auto disk = std::make_shared<test::FaultFileSystem>(1, folder / "graveyard");
  const std::unique_ptr<rocksdb::Env> env = test::MakeFaultEnv(disk);
  RocksOptions options;
  options.path = folder / "store";
  options.env = env.get();
  int missed = 0;
  auto journal = OpenRocksJournal(options);
  ASSERT_OK(journal.status());
  for (int i = 0; i < 20; ++i) {
    const std::string key = fmt::format("key{}", i);
    const uint32_t epoch = (*journal)->TakeOver(0).value();
    disk->IgnoreSyncs(true);
    ASSERT_OK(Put(**journal, epoch, key, "1"));
    disk->CutNow();
    journal = absl::UnavailableError("closed");
    disk->LoseWhatWasNotSynced();
    disk->IgnoreSyncs(false);
    journal = OpenRocksJournal(options);
    if (!journal.ok()) {
      // The mark reached the disk and the log did not.
      EXPECT_EQ(journal.status().code(), absl::StatusCode::kDataLoss) << journal.status();
      ++missed;
      break;
    }
    if (!(*journal)->Get(key).value()) ++missed;
  }
  EXPECT_GT(missed, 0);
  base::SetLogSink(nullptr, base::LogLevel::kWarning);
}

}  // namespace
}  // namespace muster::store
