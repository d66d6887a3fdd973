#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "service/base/thread.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/store/store_fixture.h"

namespace muster::store {
namespace {

namespace fs = std::filesystem;

class BackupTest : public testing::Test {
 protected:
  BackupTest() {
    options_.path = folder_ / "store";
    options_.log_bytes_max = 64 << 10;
    journal_ = OpenRocksJournal(options_).value();
    epoch_ = journal_->TakeOver(41).value();
    for (int i = 0; i < 200; ++i) PutRow(i);
  }
  void PutRow(int i) {
    const std::string key = fmt::format("{:04}", i);
    ASSERT_OK(Put(*journal_, epoch_, key, std::string(1000, 'v')));
    rows_[key] = std::string(1000, 'v');
  }
  absl::StatusOr<Rows> RowsOf(const std::string& path) {
    RocksOptions options = options_;
    options.path = path;
    options.must_exist = true;
    auto journal = OpenRocksJournal(options);
    if (!journal.ok()) return journal.status();
    EXPECT_OK((*journal)->Verify());
    return ReadAll(**journal);
  }

  test::TempFolder folder_;
  RocksOptions options_;
  std::unique_ptr<Journal> journal_;
  uint32_t epoch_ = 0;
  Rows rows_;
};

TEST_F(BackupTest, RestoresWhatWasThere) {
  const std::string backup = folder_ / "backup";
  ASSERT_OK(journal_->Backup(backup));
  const Rows then = rows_;
  PutRow(1000);
  ASSERT_OK(RestoreRocksBackup(backup, folder_ / "restored"));
  EXPECT_TRUE(RowsOf(folder_ / "restored").value() == then);
  // Again, and into a folder that is there and empty, such as a mount point.
  fs::create_directories(folder_ / "volume/lost+found");
  ASSERT_OK(RestoreRocksBackup(backup, folder_ / "volume"));
  EXPECT_TRUE(RowsOf(folder_ / "volume").value() == then);
  EXPECT_TRUE(ReadAll(*journal_).value() == rows_);
}

TEST_F(BackupTest, ARestoredStoreGoesOnAndKnowsItsEpochs) {
  ASSERT_OK(journal_->Backup(folder_ / "backup"));
  ASSERT_OK(RestoreRocksBackup(folder_ / "backup", folder_ / "restored"));
  options_.path = folder_ / "restored";
  for (int i = 0; i < 3; ++i) {
    auto restored = OpenRocksJournal(options_).value();
    EXPECT_EQ(restored->TakeOver(0).value(), 42u + i);
    EXPECT_OK(Put(*restored, 42 + i, "new", "row"));
  }
}

TEST_F(BackupTest, ARestoredStoreSharesNothingWithItsBackup) {
  ASSERT_OK(journal_->Backup(folder_ / "backup"));
  ASSERT_OK(RestoreRocksBackup(folder_ / "backup", folder_ / "restored"));
  for (const auto& entry : fs::directory_iterator(folder_ / "restored")) {
    EXPECT_EQ(fs::hard_link_count(entry.path()), 1u) << entry.path();
  }
}

TEST_F(BackupTest, IsConsistentBesideAppends) {
  base::Thread writer("writer", [this] {
    for (int i = 200; i < 1200; ++i) PutRow(i);
  });
  for (int i = 0; i < 5; ++i) ASSERT_OK(journal_->Backup(folder_ / fmt::format("backup{}", i)));
  writer.Join();
  for (int i = 0; i < 5; ++i) {
    const std::string restored = folder_ / fmt::format("restored{}", i);
    ASSERT_OK(RestoreRocksBackup(folder_ / fmt::format("backup{}", i), restored));
    const Rows rows = RowsOf(restored).value();
    // Rows were put in key order: a consistent copy has the first so many.
    ASSERT_GE(rows.size(), 200u);
    EXPECT_EQ(rows.rbegin()->first, fmt::format("{:04}", rows.size() - 1));
  }
}

TEST_F(BackupTest, RefusesToOverwrite) {
  fs::create_directory(folder_ / "there");
  EXPECT_EQ(journal_->Backup(folder_ / "there").code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_OK(journal_->Backup(folder_ / "backup"));
  EXPECT_EQ(journal_->Backup(folder_ / "backup").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(fs::exists(folder_ / "backup.partial"));
  EXPECT_TRUE(Contains(RestoreRocksBackup(folder_ / "backup", options_.path), "is a store already"));
  std::ofstream(folder_ / "there/file") << "text";
  EXPECT_TRUE(Contains(RestoreRocksBackup(folder_ / "backup", folder_ / "there"), "is something else"));
  EXPECT_TRUE(Contains(RestoreRocksBackup(folder_ / "nowhere", folder_ / "restored"), "there is no store"));
  EXPECT_FALSE(fs::exists(folder_ / "restored"));
}

TEST_F(BackupTest, AnInterruptedBackupIsNone) {
  fs::create_directory(folder_ / "backup.partial");
  std::ofstream(folder_ / "backup.partial/000001.sst") << "half";
  EXPECT_FALSE(RestoreRocksBackup(folder_ / "backup.partial", folder_ / "restored").ok());
  ASSERT_OK(journal_->Backup(folder_ / "backup"));
  EXPECT_FALSE(fs::exists(folder_ / "backup.partial"));
  EXPECT_OK(RestoreRocksBackup(folder_ / "backup", folder_ / "restored"));
}

TEST_F(BackupTest, ADamagedBackupIsFoundBeforeAnythingIsMade) {
  ASSERT_OK(journal_->Backup(folder_ / "backup"));
  for (const auto& entry : fs::directory_iterator(folder_ / "backup")) {
    if (entry.path().extension() != ".sst") continue;
    // Not a hard link any more, or the store would be damaged with it.
    fs::copy_file(entry.path(), folder_ / "copy");
    fs::rename(folder_ / "copy", entry.path());
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file.put('\x55');
    break;
  }
  const absl::Status status = RestoreRocksBackup(folder_ / "backup", folder_ / "restored");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_FALSE(fs::exists(folder_ / "restored"));
  EXPECT_OK(journal_->Verify());
}

TEST_F(BackupTest, ARestoreMayBeInterruptedAtAnyStep) {
  ASSERT_OK(journal_->Backup(folder_ / "backup"));
  bool whole = false;
  for (int step = 1; !whole; ++step) {
    SCOPED_TRACE(fmt::format("step {}", step));
    ASSERT_LT(step, 300);
    test::TempFolder folder;
    auto disk = std::make_shared<test::FaultFileSystem>(step, folder / "graveyard");
    const auto env = test::MakeFaultEnv(disk);
    const std::string target = folder / "restored";
    disk->CutAfter(step);
    whole = RestoreRocksBackup(folder_ / "backup", target, env.get()).ok() && !disk->is_cut();
    if (!disk->is_cut()) disk->CutNow();
    step % 2 == 0 ? disk->LoseWhatWasNotSynced() : disk->LoseNothing();
    const auto rows = RowsOf(target);
    if (rows.ok()) {
      ASSERT_TRUE(*rows == rows_);
    } else {
      ASSERT_FALSE(whole) << rows.status();
      // No server makes a new store of what is there by half.
      RocksOptions options;
      options.path = target;
      if (fs::exists(target + "/CURRENT")) {
        ASSERT_FALSE(OpenRocksJournal(options).ok());
      }
      ASSERT_OK(RestoreRocksBackup(folder_ / "backup", target));
      ASSERT_TRUE(RowsOf(target).value() == rows_);
    }
  }
}

}  // namespace
}  // namespace muster::store
