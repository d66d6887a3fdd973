// What a store says to a folder that is not its own, and what is left when making one is interrupted.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fault_file_system.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/store/store_fixture.h"

namespace muster::store {
namespace {

namespace fs = std::filesystem;
using rocksdb::IOStatus;

void Write(const std::string& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }
std::string Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
// Every file with its bytes.
Rows Files(const std::string& folder) {
  Rows files;
  for (const auto& entry : fs::directory_iterator(folder)) files[entry.path().filename()] = Read(entry.path());
  return files;
}

class FolderTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Journal>> Open() { return OpenRocksJournal(options_); }
  // Opening fails so, names the folder, and says `text`.
  void ExpectRefused(absl::StatusCode code, std::string_view text) {
    const auto journal = Open();
    ASSERT_FALSE(journal.ok());
    EXPECT_EQ(journal.status().code(), code) << journal.status();
    EXPECT_TRUE(Contains(journal.status(), text)) << journal.status();
    EXPECT_TRUE(Contains(journal.status(), options_.path)) << journal.status();
  }
  void MakeStore() {
    auto journal = Open();
    ASSERT_OK(journal.status());
    ASSERT_OK(Put(**journal, (*journal)->TakeOver(0).value(), "a", "1"));
  }

  test::TempFolder folder_;
  RocksOptions options_{.path = folder_ / "store"};
};

TEST_F(FolderTest, IsForItsUserAlone) {
  auto journal = Open();
  ASSERT_OK(journal.status());
  const fs::perms all = fs::perms::owner_all;
  EXPECT_EQ(fs::status(options_.path).permissions(), all);
  ASSERT_OK((*journal)->Backup(folder_ / "backup"));
  EXPECT_EQ(fs::status(folder_ / "backup").permissions(), all);
}

TEST_F(FolderTest, RefusesWhatIsNoPlaceForAStore) {
  options_.path = "";
  ExpectRefused(absl::StatusCode::kInvalidArgument, "no path");
  options_.path = folder_ / "file";
  Write(options_.path, "text");
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "is a file");
  options_.path = folder_ / "missing/store";
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "does not exist");
  options_ = {.path = folder_ / "store", .durability = base::Durability::kNone};
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FolderTest, RefusesAFolderThatIsSomethingElse) {
  fs::create_directory(options_.path);
  Write(options_.path + "/thesis.txt", "years of work");
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "is something else");
  EXPECT_EQ(Files(options_.path), (Rows{{"thesis.txt", "years of work"}})) << "it was changed";
}

TEST_F(FolderTest, TakesAnEmptyFileSystem) {
  fs::create_directories(options_.path + "/lost+found");
  MakeStore();
  EXPECT_OK(Open().status());
}

TEST_F(FolderTest, MakesNoStoreWhereOneMustBe) {
  options_.must_exist = true;
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "there is no store");
  EXPECT_FALSE(fs::exists(options_.path));
  fs::create_directory(options_.path);
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "there is no store");
  options_.must_exist = false;
  MakeStore();
  options_.must_exist = true;
  EXPECT_OK(Open().status());
}

TEST_F(FolderTest, RefusesANewerFormatAndADamagedMarker) {
  MakeStore();
  const std::string marker = options_.path + "/MUSTER";
  const std::string text = Read(marker);
  EXPECT_TRUE(text.starts_with("muster store\nformat 1\nstate ready\nmade by muster ")) << text;
  Write(marker, "muster store\nformat 2\nwhatever comes then\n");
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "has format 2, which is newer than 1");
  Write(marker, text.substr(0, text.size() - 3));
  ExpectRefused(absl::StatusCode::kDataLoss, "MUSTER\" is damaged");
  Write(marker, "");
  ExpectRefused(absl::StatusCode::kDataLoss, "MUSTER\" is damaged");
  fs::remove(marker);
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "if this was a store, put MUSTER back");
  Write(marker, text);
  EXPECT_OK(Open().status());
}

TEST_F(FolderTest, RefusesAStoreWithoutItsMark) {
  MakeStore();
  const std::string mark = options_.path + "/HIGHWATER";
  const std::string text = Read(mark);
  fs::remove(mark);
  ExpectRefused(absl::StatusCode::kDataLoss, "is missing, so it cannot be told");
  Write(mark, std::string(8192, 'x'));
  ExpectRefused(absl::StatusCode::kDataLoss, "is damaged, so it cannot be told");
  Write(mark, "");
  ExpectRefused(absl::StatusCode::kDataLoss, "is damaged, so it cannot be told");
  Write(mark, text);
  EXPECT_OK(Open().status());
}

TEST_F(FolderTest, IsInUseByOneServerAtATime) {
  auto first = Open();
  ASSERT_OK(first.status());
  ExpectRefused(absl::StatusCode::kFailedPrecondition, fmt::format("in use by another server (process {})", getpid()));
  ASSERT_OK(Put(**first, (*first)->TakeOver(0).value(), "a", "1")) << "the first is none the worse";
  first = absl::UnavailableError("closed");
  EXPECT_OK(Open().status());
}

TEST_F(FolderTest, NamesTheProcessThatUsesIt) {
  MakeStore();
  int to_parent[2];
  ASSERT_EQ(pipe(to_parent), 0);
  const std::string file = options_.path + "/MUSTER.lock";
  const pid_t child = fork();
  if (child == 0) {
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    const int fd = open(file.c_str(), O_RDWR);
    const char done = fcntl(fd, F_SETLK, &lock) == 0 ? 'y' : 'n';
    (void)!write(to_parent[1], &done, 1);
    for (;;) pause();
  }
  char done = 0;
  ASSERT_EQ(read(to_parent[0], &done, 1), 1);
  EXPECT_EQ(done, 'y');
  ExpectRefused(absl::StatusCode::kFailedPrecondition, fmt::format("in use by another server (process {})", child));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(to_parent[0]);
  close(to_parent[1]);
  EXPECT_OK(Open().status());
}

TEST_F(FolderTest, AReaderChangesNothing) {
  MakeStore();
  const Rows before = Files(options_.path);
  options_.read_only = true;
  {
    auto reader = Open();
    ASSERT_OK(reader.status());
    EXPECT_EQ(ReadAll(**reader).value(), (Rows{{"a", "1"}}));
    EXPECT_EQ((*reader)->Get("a").value(), "1");
    EXPECT_OK((*reader)->Verify());
    EXPECT_OK((*reader)->Sync());
    EXPECT_EQ((*reader)->stats().live_rows, 1u);
    EXPECT_EQ((*reader)->TakeOver(0).status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(Put(**reader, 1, "b", "2").code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ((*reader)->Compact().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ((*reader)->Backup(folder_ / "backup").code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_TRUE(before == Files(options_.path));
  options_.path = folder_ / "none";
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "there is no store");
  EXPECT_FALSE(fs::exists(options_.path));
}

TEST_F(FolderTest, AReaderMayLookOnBesideAnOwner) {
  options_.log_bytes_max = 64 << 10;
  auto owner = Open();
  ASSERT_OK(owner.status());
  const uint32_t epoch = (*owner)->TakeOver(0).value();
  RocksOptions look = options_;
  look.read_only = true;
  const std::string value(3000, 'v');
  for (int i = 0; i < 60; ++i) {
    for (int j = 0; j < 5; ++j) ASSERT_OK(Put(**owner, epoch, fmt::format("{:04}", 5 * i + j), value));
    auto reader = OpenRocksJournal(look);
    ASSERT_OK(reader.status());
    ASSERT_EQ(ReadAll(**reader).value().size(), 5u * (i + 1));
    if (i % 10 == 0) {
      ASSERT_OK((*reader)->Verify());
    }
  }
}

// Steps of making a store: the process dies, or the power goes off, at each of them.
TEST_F(FolderTest, MakingAStoreMayBeInterruptedAtAnyStep) {
  for (const bool lose : {false, true}) {
    bool whole = false;
    for (int step = 1; !whole; ++step) {
      SCOPED_TRACE(fmt::format("step {}, {}", step, lose ? "power" : "kill"));
      ASSERT_LT(step, 200);
      test::TempFolder folder;
      auto disk = std::make_shared<test::FaultFileSystem>(step, folder / "graveyard");
      const auto env = test::MakeFaultEnv(disk);
      options_.path = folder / "store";
      options_.env = env.get();
      disk->CutAfter(step);
      whole = Open().ok() && !disk->is_cut();
      if (!disk->is_cut()) disk->CutNow();
      lose ? disk->LoseWhatWasNotSynced() : disk->LoseNothing();
      options_.must_exist = whole;
      ASSERT_OK(Open().status());
      options_.must_exist = false;
      MakeStore();
      if (HasFatalFailure()) return;
    }
  }
}

struct Refusal {
  std::string name;
  test::FileOperation operation;
  std::string part;
  IOStatus error;
  absl::StatusCode code;
  std::string text;
};

class DiskRefusesTest : public FolderTest, public testing::WithParamInterface<Refusal> {};

TEST_P(DiskRefusesTest, SaysWhatToDo) {
  const Refusal& refusal = GetParam();
  auto disk = std::make_shared<test::FaultFileSystem>(1, folder_ / "graveyard");
  const auto env = test::MakeFaultEnv(disk);
  options_.env = env.get();
  disk->Fail(refusal.operation, refusal.part, refusal.error);
  ExpectRefused(refusal.code, refusal.text);
  disk->FailNoMore();
  EXPECT_OK(Open().status()) << "a failed attempt stands in nobody's way";
}

INSTANTIATE_TEST_SUITE_P(
    Disks, DiskRefusesTest,
    testing::Values(Refusal{"NoPermission", test::FileOperation::kMakeFolder, "store",
                            IOStatus::IOError("While mkdir", "Permission denied"), absl::StatusCode::kPermissionDenied,
                            "Give the folder to the user"},
                    Refusal{"NoPermissionToLock", test::FileOperation::kLock, "MUSTER.lock",
                            IOStatus::IOError("While open a file for lock", "Permission denied"),
                            absl::StatusCode::kPermissionDenied, "Give the folder to the user"},
                    Refusal{"ReadOnly", test::FileOperation::kCreate, "MUSTER",
                            IOStatus::IOError("While open a file for appending", "Read-only file system"),
                            absl::StatusCode::kPermissionDenied, "mount it for writing"},
                    Refusal{"LockedOutOfSight", test::FileOperation::kLock, "MUSTER.lock",
                            IOStatus::IOError("While lock file", "Resource temporarily unavailable"),
                            absl::StatusCode::kFailedPrecondition, "perhaps in another container"},
                    Refusal{"Full", test::FileOperation::kAppend, "MANIFEST", IOStatus::NoSpace(),
                            absl::StatusCode::kUnavailable, "free space"},
                    Refusal{"FullForTheMark", test::FileOperation::kAppend, "HIGHWATER", IOStatus::NoSpace(),
                            absl::StatusCode::kUnavailable, "free space"},
                    Refusal{"Failing", test::FileOperation::kSync, ".log",
                            IOStatus::IOError("While fdatasync", "Input/output error"), absl::StatusCode::kUnavailable,
                            "Check the disk"}),
    [](const testing::TestParamInfo<Refusal>& info) { return info.param.name; });

}  // namespace
}  // namespace muster::store
