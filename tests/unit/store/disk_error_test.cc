// The disk fills up, or fails, under a store that is open: the first error stays, it says what to do, reads go on, and
// nothing that was acknowledged is missing afterwards.
#include <memory>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "service/base/log.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/store/store_fixture.h"

namespace muster::store {
namespace {

using rocksdb::IOStatus;
using test::FileOperation;

void Silent(base::LogLevel, std::string_view, std::span<const base::LogField>) {}

IOStatus InputOutputError() { return IOStatus::IOError("While writing", "Input/output error"); }

class DiskErrorTest : public testing::Test {
 protected:
  DiskErrorTest() {
    base::SetLogSink(&Silent, base::LogLevel::kError);
    options_.path = folder_ / "store";
    options_.env = env_.get();
    options_.log_bytes_max = 64 << 10;
  }
  ~DiskErrorTest() override { base::SetLogSink(nullptr, base::LogLevel::kWarning); }

  void Open() {
    journal_.reset();
    auto journal = OpenRocksJournal(options_);
    ASSERT_OK(journal.status());
    journal_ = *std::move(journal);
    epoch_ = journal_->TakeOver(0).value();
  }
  absl::Status PutNext() {
    const std::string key = fmt::format("{:04}", next_++);
    absl::Status status = Put(*journal_, epoch_, key, std::string(1000, 'v'));
    if (status.ok()) acknowledged_[key] = std::string(1000, 'v');
    return status;
  }
  // Appends until one fails, which it must; then everything that is promised of a failed journal.
  absl::Status FailAndCheck() {
    absl::Status first;
    for (int i = 0; i < 2000 && first.ok(); ++i) first = PutNext();
    disk_->FailNoMore();
    EXPECT_FALSE(first.ok());
    EXPECT_EQ(PutNext(), first) << "the disk is well again, and yet: nobody knows what it lost";
    EXPECT_EQ(journal_->Sync(), first);
    EXPECT_EQ(journal_->TakeOver(0).status(), first);
    EXPECT_EQ(journal_->Compact(), first);
    EXPECT_EQ(journal_->Get("0000").value(), std::string(1000, 'v'));
    const auto rows = ReadAll(*journal_);
    EXPECT_OK(rows.status());
    ExpectAcknowledged(*rows);
    Open();
    ExpectAcknowledged(ReadAll(*journal_).value());
    EXPECT_OK(PutNext());
    EXPECT_OK(journal_->Verify());
    return first;
  }
  void ExpectAcknowledged(const Rows& rows) {
    for (const auto& [key, value] : acknowledged_) {
      const auto found = rows.find(key);
      ASSERT_TRUE(found != rows.end()) << key << " is missing";
      ASSERT_EQ(found->second, value);
    }
    EXPECT_LE(rows.size(), acknowledged_.size() + 1) << "more than one append in doubt";
  }

  test::TempFolder folder_;
  std::shared_ptr<test::FaultFileSystem> disk_ = std::make_shared<test::FaultFileSystem>(1, folder_ / "graveyard");
  std::unique_ptr<rocksdb::Env> env_ = test::MakeFaultEnv(disk_);
  RocksOptions options_;
  std::unique_ptr<Journal> journal_;
  uint32_t epoch_ = 0;
  int next_ = 0;
  Rows acknowledged_;
};

TEST_F(DiskErrorTest, TheDiskIsFullForTheLog) {
  Open();
  disk_->Fail(FileOperation::kAppend, ".log", IOStatus::NoSpace(), 10);
  const absl::Status status = FailAndCheck();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_TRUE(Contains(status, "free space on it, or enlarge it, and restart")) << status;
  EXPECT_TRUE(Contains(status, options_.path)) << status;
}

TEST_F(DiskErrorTest, TheDiskIsFullForSortedFiles) {
  Open();
  disk_->Fail(FileOperation::kAppend, ".sst", IOStatus::NoSpace());
  const absl::Status status = FailAndCheck();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_TRUE(Contains(status, "free space on it, or enlarge it, and restart")) << status;
}

TEST_F(DiskErrorTest, TheLogCannotBeSynced) {
  Open();
  disk_->Fail(FileOperation::kSync, ".log", InputOutputError(), 3);
  const absl::Status status = FailAndCheck();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_TRUE(Contains(status, "Check the disk")) << status;
  EXPECT_TRUE(Contains(status, "restore the latest backup")) << status;
}

TEST_F(DiskErrorTest, TheLogCannotBeWritten) {
  Open();
  disk_->Fail(FileOperation::kAppend, ".log", InputOutputError(), 3);
  EXPECT_TRUE(Contains(FailAndCheck(), "Check the disk"));
}

TEST_F(DiskErrorTest, ANewLogCannotBeMade) {
  Open();
  disk_->Fail(FileOperation::kCreate, ".log", IOStatus::NoSpace());
  EXPECT_TRUE(Contains(FailAndCheck(), "free space"));
}

TEST_F(DiskErrorTest, TheManifestCannotBeSynced) {
  Open();
  disk_->Fail(FileOperation::kSync, "MANIFEST", InputOutputError());
  EXPECT_TRUE(Contains(FailAndCheck(), "Check the disk"));
}

TEST_F(DiskErrorTest, TheMarkCannotBeWritten) {
  Open();
  disk_->Fail(FileOperation::kWriteInPlace, "HIGHWATER", InputOutputError(), 3);
  EXPECT_TRUE(Contains(FailAndCheck(), "HIGHWATER"));
}

TEST_F(DiskErrorTest, AnErrorInTheBackgroundIsCountedAndStays) {
  Open();
  ASSERT_OK(PutNext());
  disk_->Fail(FileOperation::kAppend, ".sst", InputOutputError());
  EXPECT_FALSE(journal_->Compact().ok());
  EXPECT_GT(journal_->stats().background_errors, 0u);
  EXPECT_FALSE(FailAndCheck().ok());
}

TEST_F(DiskErrorTest, AsyncTellsOfAFailedSyncToo) {
  options_.durability = base::Durability::kAsync;
  Open();
  ASSERT_OK(PutNext());
  disk_->Fail(FileOperation::kSync, ".log", InputOutputError());
  const absl::Status status = journal_->Sync();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(PutNext(), status);
  disk_->FailNoMore();
}

TEST_F(DiskErrorTest, ReadsThatFailSaySo) {
  Open();
  for (int i = 0; i < 500; ++i) ASSERT_OK(PutNext());
  ASSERT_OK(journal_->Compact());
  journal_.reset();
  options_.block_cache_bytes = 0;
  Open();
  disk_->Fail(FileOperation::kRead, ".sst", InputOutputError());
  EXPECT_FALSE(journal_->Verify().ok());
  disk_->FailNoMore();
  EXPECT_OK(journal_->Verify());
}

}  // namespace
}  // namespace muster::store
