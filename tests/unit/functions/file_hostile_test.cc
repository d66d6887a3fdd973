// The file functions with callers who want out of the root, and neighbours who help them.
#include <atomic>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/base/thread.h"
#include "service/functions/file/family.h"
#include "tests/unit/functions/call.h"
#include "tests/unit/functions/temporary_directory.h"

namespace muster::functions {
namespace {

namespace fs = std::filesystem;

// outside/secret lies beside root/, where the functions may work.
class HostileFiles : public testing::Test {
 protected:
  HostileFiles() {
    fs::create_directories(directory_ / "root");
    fs::create_directories(directory_ / "outside");
    directory_.Write("outside/secret", "secret");
    FileOptions options;
    options.root = directory_ / "root";
    options.read_bytes_max = 10'000;
    EXPECT_TRUE(FileFamily(options).Register(registry_, {}).ok());
  }
  std::string Root(const std::string& name) { return directory_ / ("root/" + name); }

  std::string ReadError(const nlohmann::json& path) { return ErrorType(CallBlocking(registry_, "file.read", path)); }
  std::string ListError(const nlohmann::json& path) { return ErrorType(CallBlocking(registry_, "file.list", path)); }
  std::string WriteError(const std::string& path) {
    return ErrorType(
        CallBlocking(registry_, "file.write", nlohmann::json({{"path", path}, {"data", "x"}, {"parents", true}})));
  }
  void ExpectUntouchedOutside() {
    EXPECT_EQ(directory_.Read("outside/secret"), "secret");
    EXPECT_EQ(std::distance(fs::directory_iterator(directory_ / "outside"), {}), 1);
    EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), 2);
  }

  TemporaryDirectory directory_;
  jobs::Registry registry_;
};

TEST_F(HostileFiles, DotsAndAbsolutePathsLeadNowhere) {
  fs::create_directories(Root("a"));
  for (const std::string path : {"..", "../outside/secret", "a/../../outside/secret", "a/..", "./..", "a/../b",
                                 "/etc/passwd", "/", "//etc/passwd", "/proc/self/environ"}) {
    EXPECT_EQ(ReadError(path), "OutsideRoot") << path;
    EXPECT_EQ(ListError(path), "OutsideRoot") << path;
    EXPECT_EQ(WriteError(path), "OutsideRoot") << path;
  }
  // Three dots are a name.
  EXPECT_EQ(ReadError("..."), "NotFound");
  ExpectUntouchedOutside();
}

TEST_F(HostileFiles, LinksOutOfTheRootAreRefusedAndLinksWithinFollowed) {
  fs::create_symlink("../outside/secret", Root("relative"));
  fs::create_symlink(directory_ / "outside/secret", Root("absolute"));
  fs::create_directory_symlink("../outside", Root("directory"));
  fs::create_symlink("..", Root("up"));
  // Absolute even though it ends beneath: what "beneath" means must not depend on where the root is mounted.
  directory_.Write("root/real", "real");
  fs::create_symlink(Root("real"), Root("absolute_inside"));
  fs::create_symlink("real", Root("inside"));
  for (const char* path : {"relative", "absolute", "directory/secret", "up/outside/secret", "absolute_inside"}) {
    EXPECT_EQ(ReadError(path), "OutsideRoot") << path;
  }
  EXPECT_EQ(ListError("directory"), "OutsideRoot");
  EXPECT_EQ(ListError("up"), "OutsideRoot");
  EXPECT_EQ(WriteError("directory/new"), "OutsideRoot");
  EXPECT_EQ(WriteError("up/new"), "OutsideRoot");
  EXPECT_EQ(WriteError("directory/deep/new"), "OutsideRoot");
  EXPECT_EQ(CallBlocking(registry_, "file.read", nlohmann::json("inside"))->body(), "real");
  ExpectUntouchedOutside();
}

TEST_F(HostileFiles, AWriteReplacesALinkInsteadOfWritingThroughIt) {
  fs::create_symlink("../outside/secret", Root("link"));
  fs::create_symlink("../outside/fresh", Root("dangling"));
  EXPECT_EQ(WriteError("link"), "");
  EXPECT_EQ(WriteError("dangling"), "");
  EXPECT_FALSE(fs::is_symlink(Root("link")));
  EXPECT_FALSE(fs::is_symlink(Root("dangling")));
  ExpectUntouchedOutside();
}

TEST_F(HostileFiles, LinkLoopsAndDanglingDirectoriesEnd) {
  fs::create_symlink("loop", Root("loop"));
  fs::create_symlink("nowhere", Root("dangling"));
  EXPECT_EQ(ReadError("loop"), "TooManyLinks");
  EXPECT_EQ(WriteError("loop/x"), "TooManyLinks");
  EXPECT_EQ(ReadError("dangling"), "NotFound");
  EXPECT_EQ(WriteError("dangling/x"), "NotFound");
}

TEST_F(HostileFiles, TheKernelsMagicLinksAreRefused) {
  // What an operator who mounted /proc below the root would have exposed.
  const int fd = open((directory_ / "outside/secret").c_str(), O_RDONLY);
  ASSERT_GE(fd, 0);
  FileOptions options;
  options.root = "/proc/self";
  jobs::Registry registry;
  ASSERT_TRUE(FileFamily(options).Register(registry, {}).ok());
  for (const std::string& path :
       {"fd/" + std::to_string(fd), std::string("exe"), std::string("root/etc/passwd"), std::string("cwd/x")}) {
    EXPECT_EQ(ErrorType(CallBlocking(registry, "file.read", nlohmann::json(path))), "TooManyLinks") << path;
  }
  close(fd);
}

TEST_F(HostileFiles, WhatIsNoRegularFileIsRefusedAtOnce) {
  ASSERT_EQ(mkfifo(Root("fifo").c_str(), 0600), 0);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // Bound by a short name: the directory of a test may be longer than a socket's address.
  const fs::path old = fs::current_path();
  fs::current_path(directory_ / "root");
  std::snprintf(address.sun_path, sizeof address.sun_path, "socket");
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  fs::current_path(old);
  for (const char* path : {"fifo", "socket"}) {
    EXPECT_EQ(ReadError(path), "NotARegularFile") << path;
    EXPECT_EQ(WriteError(path), "NotARegularFile") << path;
    EXPECT_EQ(ErrorType(CallBlocking(registry_, "checksum", nlohmann::json({{"path", path}}))), "NotARegularFile");
  }
  close(fd);

  FileOptions options;
  options.root = "/dev";
  jobs::Registry registry;
  ASSERT_TRUE(FileFamily(options).Register(registry, {}).ok());
  EXPECT_EQ(ErrorType(CallBlocking(registry, "file.read", nlohmann::json("zero"))), "NotARegularFile");
}

TEST_F(HostileFiles, StrangeNamesAreRefusedOrTakenLiterally) {
  const std::string nul("a\0b", 3);
  for (const std::string& path : {nul, std::string(), std::string(5000, 'a'), std::string(300, 'a')}) {
    EXPECT_EQ(ReadError(path), "InvalidInput") << path;
    EXPECT_EQ(WriteError(path), "InvalidInput") << path;
  }
  EXPECT_EQ(ErrorType(CallBlocking(registry_, "file.read", jobs::Payload::Text("bad\xFF"))), "InvalidInput");
  std::string deep = "d";
  for (int i = 0; i < 128; ++i) deep += "/d";
  EXPECT_EQ(WriteError(deep), "InvalidInput");
  EXPECT_FALSE(fs::exists(Root("d")));
  for (const std::string path : {"; rm -rf .", "$(id)", "%2e%2e", "..\\outside", "-rf", "new\nline", "~"}) {
    EXPECT_EQ(WriteError(path), "") << path;
    EXPECT_EQ(ReadError(path), "") << path;
  }
}

TEST_F(HostileFiles, ASparseFileOfAnySizeIsRefusedWithoutReadingItAll) {
  directory_.Write("root/huge", "");
  fs::resize_file(Root("huge"), uintmax_t{1} << 40);
  EXPECT_EQ(ReadError("huge"), "TooLarge");
}

TEST_F(HostileFiles, UnreadableThingsAreDenied) {
  if (geteuid() == 0) {
    // Root reads everything; an immutable or read-only file system is not for a unit test to make.
    SUCCEED();
    return;
  }
  directory_.Write("root/private", "x");
  chmod(Root("private").c_str(), 0);
  EXPECT_EQ(ReadError("private"), "PermissionDenied");
}

// Somebody with access to the root swaps a directory for a link to the outside, as fast as they can.
TEST_F(HostileFiles, ASwapOfALinkDuringTheCallNeverLetsAnythingOut) {
  fs::create_directories(Root("inside"));
  directory_.Write("root/inside/secret", "public");
  fs::create_directory_symlink("../outside", Root("evil"));
  fs::rename(Root("inside"), Root("door"));
  std::atomic<bool> stop{false};
  const std::string door = Root("door"), evil = Root("evil");
  base::Thread swapper("swapper", [&] {
    while (!stop) renameat2(AT_FDCWD, door.c_str(), AT_FDCWD, evil.c_str(), 2 /* RENAME_EXCHANGE */);
  });
  int read = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    const absl::StatusOr<jobs::Payload> result = CallBlocking(registry_, "file.read", nlohmann::json("door/secret"));
    if (result.ok()) {
      ++read;
      EXPECT_EQ(result->body(), "public");
    } else {
      ++refused;
      EXPECT_TRUE(ErrorType(result) == "OutsideRoot" || ErrorType(result) == "NotFound" ||
                  ErrorType(result) == "IoError")
          << result.status();
    }
    if (i % 20 == 0) WriteError("door/secret-" + std::to_string(i));
  }
  stop = true;
  swapper.Join();
  EXPECT_GT(read + refused, 0);
  ExpectUntouchedOutside();
}

}  // namespace
}  // namespace muster::functions
