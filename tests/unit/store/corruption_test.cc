// Bits flip, files are cut and vanish: whatever happens to whichever file, it is found when the store is opened, when
// rows are read or by Verify, or it changes nothing. Never a wrong row, never one that is silently missing.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "service/base/log.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/store/store_fixture.h"

namespace muster::store {
namespace {

namespace fs = std::filesystem;

void Silent(base::LogLevel, std::string_view, std::span<const base::LogField>) {}

std::string Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
void Write(const std::string& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

bool IsSorted(const std::string& name) { return name.ends_with(".sst"); }
bool IsManifest(const std::string& name) { return name.starts_with("MANIFEST"); }
bool Matters(const std::string& name) {
  return IsSorted(name) || IsManifest(name) || name.ends_with(".log") || name == "CURRENT" || name == "HIGHWATER" ||
         name == "MUSTER";
}

// A closed store: sorted files on two levels, a manifest of several edits, and a log with the last appends.
class Original {
 public:
  Original() {
    options_.path = folder_ / "store";
    options_.log_bytes_max = 64 << 10;
    disk_ = std::make_shared<test::FaultFileSystem>(1, folder_ / "graveyard");
    env_ = test::MakeFaultEnv(disk_);
    options_.env = env_.get();
  }

  // `two_logs`: the last two logs are needed, because the first was never written to a sorted file.
  void Make(bool two_logs) {
    auto journal = OpenRocksJournal(options_).value();
    epoch_ = journal->TakeOver(7).value();
    for (int i = 0; i < 100; ++i) ASSERT_OK(AppendNext(*journal));
    ASSERT_OK(journal->Compact());
    for (int i = 0; i < 150; ++i) ASSERT_OK(AppendNext(*journal, /*deletes=*/i % 3 == 0));
    // Waits for the background: from here on nothing is written to sorted files.
    ASSERT_OK(journal->Backup(folder_ / "backup"));
    if (two_logs) disk_->Fail(test::FileOperation::kCreate, ".sst", rocksdb::IOStatus::IOError("not now"));
    const size_t logs = Logs().size();
    for (int i = 0; i < 5 || (two_logs && i < 200 && Logs().size() == logs); ++i) {
      if (!AppendNext(*journal).ok()) break;
    }
    journal.reset();
    disk_->FailNoMore();
    options_.env = nullptr;
    ASSERT_EQ(Logs().size(), two_logs ? 2u : 1u);
  }

  const std::string& path() const { return options_.path; }
  const Rows& rows() const { return rows_; }
  uint32_t epoch() const { return epoch_; }

  std::vector<std::string> Named(const std::function<bool(const std::string&)>& is) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(options_.path)) {
      if (is(entry.path().filename())) names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  std::vector<std::string> Logs() const {
    return Named([](const std::string& name) { return name.ends_with(".log"); });
  }
  std::vector<std::string> All() const {
    return Named(
        [](const std::string& name) { return name != "LOCK" && name != "MUSTER.lock" && name != "lost+found"; });
  }

 private:
  absl::Status AppendNext(Journal& journal, bool deletes = true) {
    Batch batch;
    const std::string key = fmt::format("{:05}", next_);
    // Not compressible, so that most bytes of the files matter.
    std::string value(900, '\0');
    for (char& c : value) c = static_cast<char>(random_());
    const std::string old = fmt::format("{:05}", next_ - 40);
    batch.Put(key, value);
    if (deletes) batch.Delete(old);
    ++next_;
    absl::Status status = AppendOne(journal, epoch_, batch);
    if (status.ok()) {
      rows_[key] = value;
      if (deletes) rows_.erase(old);
    }
    return status;
  }

  test::TempFolder folder_;
  std::shared_ptr<test::FaultFileSystem> disk_;
  std::unique_ptr<rocksdb::Env> env_;
  RocksOptions options_;
  std::mt19937_64 random_{1};
  uint32_t epoch_ = 0;
  int next_ = 40;
  Rows rows_;
};

class CorruptionTest : public testing::Test {
 protected:
  CorruptionTest() { base::SetLogSink(&Silent, base::LogLevel::kError); }
  ~CorruptionTest() override { base::SetLogSink(nullptr, base::LogLevel::kWarning); }

  enum class Found { kAtOpen, kWhenRead, kByVerify, kChangesNothing };

  // What becomes of a copy of the original in which `name` holds `text`; nullopt: it is gone.
  Found Try(const Original& original, const std::string& name, const std::optional<std::string>& text) {
    const std::string path = scratch_ / "store";
    fs::remove_all(path);
    fs::create_directory(path);
    for (const std::string& file : original.All()) {
      if (file == name) continue;
      const std::string from = original.path() + "/" + file;
      // Sorted files are never written again; the others may be.
      IsSorted(file) ? fs::create_hard_link(from, path + "/" + file) : fs::copy(from, path + "/" + file);
    }
    if (text) Write(path + "/" + name, *text);
    const Found found = Judge(original, path);
    ++counts_[found];
    return found;
  }

  Found Judge(const Original& original, const std::string& path) {
    RocksOptions options;
    options.path = path;
    options.must_exist = true;
    options.env = env_.get();  // syncs nothing, for speed
    auto journal = OpenRocksJournal(options);
    if (!journal.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(journal.status()) || absl::IsFailedPrecondition(journal.status()) ||
                  absl::IsUnavailable(journal.status()))
          << journal.status();
      return Found::kAtOpen;
    }
    const auto rows = ReadAll(**journal);
    if (!rows.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(rows.status())) << rows.status();
      return Found::kWhenRead;
    }
    EXPECT_TRUE(*rows == original.rows())
        << "a wrong or a silently missing row: " << rows->size() << " rows of " << original.rows().size();
    const absl::Status verified = (*journal)->Verify();
    const auto epoch = (*journal)->TakeOver(0);
    if (epoch.ok()) {
      EXPECT_EQ(*epoch, original.epoch() + 1) << "an epoch came back";
    }
    if (!verified.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(verified)) << verified;
      return Found::kByVerify;
    }
    return Found::kChangesNothing;
  }

  // Each of them alone, in a file of this name.
  void FlipBits(const Original& original, const std::string& name, int trials, uint64_t seed) {
    const std::string whole = Read(original.path() + "/" + name);
    ASSERT_FALSE(whole.empty()) << name;
    std::mt19937_64 random(seed);
    for (int i = 0; i < trials; ++i) {
      const uint64_t bit = random() % (whole.size() * 8);
      SCOPED_TRACE(fmt::format("{}: bit {} of byte {} of {}", name, bit % 8, bit / 8, whole.size()));
      std::string text = whole;
      text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
      Try(original, name, text);
      if (HasFailure()) return;
    }
  }
  void Truncate(const Original& original, const std::string& name, int trials, uint64_t seed) {
    const std::string whole = Read(original.path() + "/" + name);
    std::mt19937_64 random(seed);
    for (int i = 0; i < trials; ++i) {
      const size_t kept = i == 0 ? 0 : random() % whole.size();
      SCOPED_TRACE(fmt::format("{}: cut to {} of {} bytes", name, kept, whole.size()));
      Try(original, name, whole.substr(0, kept));
      if (HasFailure()) return;
    }
  }

  uint64_t found() const {
    uint64_t sum = 0;
    for (const auto& [found, count] : counts_) sum += found == Found::kChangesNothing ? 0 : count;
    return sum;
  }

  test::TempFolder scratch_;
  std::shared_ptr<test::FaultFileSystem> disk_ = std::make_shared<test::FaultFileSystem>(1, scratch_ / "graveyard");
  const std::unique_ptr<rocksdb::Env> env_ = test::MakeFaultEnv(disk_);
  std::map<Found, uint64_t> counts_;
};

TEST_F(CorruptionTest, AnUndamagedCopyIsFine) {
  Original original;
  original.Make(/*two_logs=*/true);
  ASSERT_GE(original.Named(IsSorted).size(), 2u);
  EXPECT_EQ(Try(original, "MUSTER", Read(original.path() + "/MUSTER")), Found::kChangesNothing);
}

TEST_F(CorruptionTest, FlippedBitsInSortedFiles) {
  Original original;
  original.Make(false);
  for (const std::string& name : original.Named(IsSorted)) FlipBits(original, name, 25, 1);
  EXPECT_EQ(counts_[Found::kChangesNothing], 0u) << "every byte of a sorted file is under a checksum";
}

TEST_F(CorruptionTest, FlippedBitsInLogs) {
  Original original;
  original.Make(/*two_logs=*/true);
  for (const std::string& name : original.Logs()) FlipBits(original, name, 60, 2);
  EXPECT_EQ(counts_[Found::kChangesNothing], 0u);
}

TEST_F(CorruptionTest, FlippedBitsInTheManifest) {
  Original original;
  original.Make(false);
  for (const std::string& name : original.Named(IsManifest)) FlipBits(original, name, 150, 3);
  EXPECT_GT(found(), 100u);
}

TEST_F(CorruptionTest, FlippedBitsInSmallFiles) {
  Original original;
  original.Make(false);
  for (const std::string name : {"CURRENT", "HIGHWATER", "MUSTER"}) FlipBits(original, name, 60, 4);
  // Every bit of a slot of the mark.
  const std::string whole = Read(original.path() + "/HIGHWATER");
  for (size_t bit = 0; bit < 20 * 8; ++bit) {
    std::string text = whole;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    Try(original, "HIGHWATER", text);
  }
}

TEST_F(CorruptionTest, TruncatedFiles) {
  Original original;
  original.Make(/*two_logs=*/true);
  for (const std::string& name : original.All()) {
    if (!Matters(name)) continue;
    Truncate(original, name, IsManifest(name) ? 100 : 12, 5);
  }
  EXPECT_GT(found(), 100u);
}

TEST_F(CorruptionTest, MissingFiles) {
  for (const bool two_logs : {false, true}) {
    Original original;
    original.Make(two_logs);
    for (const std::string& name : original.All()) {
      SCOPED_TRACE(name);
      const Found found = Try(original, name, std::nullopt);
      EXPECT_EQ(found, Matters(name) ? Found::kAtOpen : Found::kChangesNothing);
    }
  }
}

TEST_F(CorruptionTest, AMissingLogIsToldInFullAndCanBePutBack) {
  Original original;
  original.Make(false);
  const std::string log = original.path() + "/" + original.Logs().back();
  const std::string text = Read(log);
  fs::remove(log);
  RocksOptions options;
  options.path = original.path();
  const absl::Status status = OpenRocksJournal(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Contains(status, "has lost ")) << status;
  EXPECT_TRUE(Contains(status, " commits that were acknowledged")) << status;
  EXPECT_TRUE(Contains(status, "Put the missing log back, or restore the latest backup")) << status;
  // The attempt destroyed nothing.
  Write(log, text);
  auto journal = OpenRocksJournal(options);
  ASSERT_OK(journal.status());
  EXPECT_TRUE(ReadAll(**journal).value() == original.rows());
}

TEST_F(CorruptionTest, VerifyFindsDamageUnderARunningOwner) {
  Original original;
  original.Make(false);
  RocksOptions options;
  options.path = original.path();
  auto journal = OpenRocksJournal(options).value();
  ASSERT_OK(Put(*journal, journal->TakeOver(0).value(), "a", "1"));
  ASSERT_OK(journal->Verify());
  // All files are tried. A compaction that the start began may replace a sorted file while it is looked at: then it is
  // gone once nothing holds it, and damage to it matters to nobody.
  std::vector<std::string> names = original.Named(IsSorted);
  names.push_back(original.Logs().back());
  int found = 0;
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const std::string path = original.path() + "/" + name;
    if (!fs::exists(path)) continue;
    const std::string whole = Read(path);
    std::string text = whole;
    text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
    Write(path, text);
    if (journal->Verify().code() == absl::StatusCode::kDataLoss) {
      ++found;
      Write(path, whole);
    } else {
      EXPECT_FALSE(fs::exists(path)) << "it is in use, and its damage was not found";
    }
    EXPECT_OK(journal->Verify());
  }
  EXPECT_GE(found, 2);  // the log, and a sorted file
}

}  // namespace
}  // namespace muster::store
