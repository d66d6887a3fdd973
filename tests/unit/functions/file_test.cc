// file.read, file.write and file.list with callers of good will.
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "absl/strings/escaping.h"

#include "service/functions/file/family.h"
#include "tests/unit/functions/call.h"
#include "tests/unit/functions/temporary_directory.h"

namespace muster::functions {
namespace {

class Files : public testing::Test {
 protected:
  Files() {
    FileOptions options;
    options.root = directory_.path();
    options.read_bytes_max = 100'000;
    options.write_bytes_max = 200'000;
    options.list_max = 50;
    EXPECT_TRUE(FileFamily(options).Register(registry_, {}).ok());
  }
  absl::StatusOr<jobs::Payload> Read(const nlohmann::json& input) {
    return CallBlocking(registry_, "file.read", input);
  }
  absl::StatusOr<jobs::Payload> Write(const nlohmann::json& input) {
    return CallBlocking(registry_, "file.write", input);
  }
  absl::StatusOr<jobs::Payload> List(const nlohmann::json& input) {
    return CallBlocking(registry_, "file.list", input);
  }
  std::vector<std::string> Names(const nlohmann::json& input) {
    std::vector<std::string> names;
    const nlohmann::json page = JsonOf(List(input));
    for (const nlohmann::json& entry : page["entries"]) names.push_back(entry["name"]);
    return names;
  }

  TemporaryDirectory directory_;
  jobs::Registry registry_;
};

TEST_F(Files, WhatIsWrittenIsRead) {
  const absl::StatusOr<jobs::Payload> written = Write({{"path", "a.txt"}, {"data", "h\u00e4llo"}});
  EXPECT_EQ(JsonOf(written), nlohmann::json({{"path", "a.txt"}, {"bytes", 6}}));
  const absl::StatusOr<jobs::Payload> read = Read("a.txt");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->encoding(), values::Encoding::kText);
  EXPECT_EQ(read->body(), "h\u00e4llo");
  EXPECT_EQ(CallBlocking(registry_, "file.read", jobs::Payload::Text("a.txt"))->body(), "h\u00e4llo");
}

TEST_F(Files, BytesThatAreNoTextComeBackAsBytes) {
  const std::string bytes("\x00\xFF\x80", 3);
  ASSERT_TRUE(Write({{"path", "b"}, {"data_base64", absl::Base64Escape(bytes)}}).ok());
  const absl::StatusOr<jobs::Payload> read = Read("b");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->encoding(), values::Encoding::kBytes);
  EXPECT_EQ(read->body(), bytes);
  EXPECT_EQ(ErrorType(Read({{"path", "b"}, {"as", "text"}})), "NotText");
  EXPECT_EQ(ErrorType(Read({{"path", "b"}, {"as", "json"}})), "InvalidInput");
  directory_.Write("t", "text");
  EXPECT_EQ(Read({{"path", "t"}, {"as", "bytes"}})->encoding(), values::Encoding::kBytes);
}

TEST_F(Files, PartsAreReadByOffsetAndLength) {
  directory_.Write("digits", "0123456789");
  EXPECT_EQ(Read({{"path", "digits"}, {"offset", 3}, {"length", 4}})->body(), "3456");
  EXPECT_EQ(Read({{"path", "digits"}, {"offset", 8}, {"length", 4}})->body(), "89");
  EXPECT_EQ(Read({{"path", "digits"}, {"offset", 8}})->body(), "89");
  EXPECT_EQ(Read({{"path", "digits"}, {"offset", 80}})->body(), "");
  EXPECT_EQ(Read({{"path", "digits"}, {"length", 0}})->body(), "");
  EXPECT_EQ(ErrorType(Read({{"path", "digits"}, {"offset", -1}})), "InvalidInput");
  EXPECT_EQ(ErrorType(Read({{"path", "digits"}, {"length", 100'001}})), "InvalidInput");
}

TEST_F(Files, AFileOverTheCapIsRefusedWholeAndReadableInParts) {
  directory_.Write("most", std::string(100'000, 'x'));
  EXPECT_EQ(Read("most")->body().size(), 100'000u);
  directory_.Write("more", std::string(100'001, 'x'));
  const absl::StatusOr<jobs::Payload> refused = Read("more");
  EXPECT_EQ(ErrorType(refused), "TooLarge");
  EXPECT_NE(ErrorMessage(refused).find("100000"), std::string::npos);
  EXPECT_EQ(Read({{"path", "more"}, {"offset", 1}})->body().size(), 100'000u);
  EXPECT_EQ(ErrorType(Write({{"path", "much"}, {"data", std::string(200'001, 'x')}})), "TooLarge");
  EXPECT_FALSE(std::filesystem::exists(directory_ / "much"));
}

TEST_F(Files, ParentsAreMadeWhenAskedFor) {
  EXPECT_EQ(ErrorType(Write({{"path", "a/b/c"}, {"data", "x"}})), "NotFound");
  EXPECT_FALSE(std::filesystem::exists(directory_ / "a"));
  EXPECT_TRUE(Write({{"path", "./a//b/c"}, {"data", "x"}, {"parents", true}}).ok());
  EXPECT_TRUE(Write({{"path", "a/b/d"}, {"data", "y"}, {"parents", true}}).ok());
  EXPECT_EQ(directory_.Read("a/b/c"), "x");
  EXPECT_EQ(directory_.Read("a/b/d"), "y");
}

TEST_F(Files, AFileInTheWayOfADirectoryIsAnError) {
  directory_.Write("a", "file");
  EXPECT_EQ(ErrorType(Write({{"path", "a/b"}, {"data", "x"}, {"parents", true}})), "NotADirectory");
  EXPECT_EQ(ErrorType(Read("a/b")), "NotADirectory");
  EXPECT_EQ(ErrorType(List("a")), "NotADirectory");
}

TEST_F(Files, DirectoriesAreNeitherReadNorOverwritten) {
  std::filesystem::create_directory(directory_ / "d");
  EXPECT_EQ(ErrorType(Read("d")), "IsADirectory");
  EXPECT_EQ(ErrorType(Read(".")), "IsADirectory");
  for (const char* path : {"d", "d/", ".", "./"}) {
    EXPECT_EQ(ErrorType(Write({{"path", path}, {"data", "x"}})), "IsADirectory") << path;
  }
  EXPECT_EQ(Names("."), std::vector<std::string>{"d"}) << "something was left behind";
}

TEST_F(Files, OverwritingReplacesTheWholeFileOrIsRefused) {
  directory_.Write("f", "a long old text");
  EXPECT_EQ(ErrorType(Write({{"path", "f"}, {"data", "new"}, {"overwrite", false}})), "AlreadyExists");
  EXPECT_EQ(directory_.Read("f"), "a long old text");
  EXPECT_TRUE(Write({{"path", "f"}, {"data", "new"}}).ok());
  EXPECT_EQ(directory_.Read("f"), "new");
  EXPECT_TRUE(Write({{"path", "g"}, {"data", ""}, {"overwrite", false}}).ok());
  EXPECT_EQ(directory_.Read("g"), "");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 2)
      << "a temporary file was left";
}

TEST_F(Files, ACancelledWriteLeavesTheOldFile) {
  directory_.Write("f", "old");
  for (int look = 1; look <= 2; ++look) {
    FakeBlockingContext context;
    context.CancelAtLook(look);
    const absl::StatusOr<jobs::Payload> output =
        registry_.Find("file.write")->blocking(context, jobs::JsonPayload({{"path", "f"}, {"data", "new"}}));
    EXPECT_EQ(output.status().code(), absl::StatusCode::kCancelled) << look;
    EXPECT_EQ(directory_.Read("f"), "old");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1)
        << "a temporary file was left";
  }
}

TEST_F(Files, ListSaysWhatThingsAre) {
  directory_.Write("file", "12345");
  std::filesystem::create_directory(directory_ / "directory");
  std::filesystem::create_symlink("file", directory_ / "symlink");
  ASSERT_EQ(mkfifo((directory_ / "other").c_str(), 0600), 0);
  const nlohmann::json entries = JsonOf(List(nullptr))["entries"];
  ASSERT_EQ(entries.size(), 4u);
  for (const nlohmann::json& entry : entries) {
    EXPECT_EQ(entry["name"], entry["type"]) << entry;
    EXPECT_EQ(entry.contains("bytes"), entry["name"] == "file");
    EXPECT_GT(entry["modified_unix_seconds"], 1'000'000'000);
  }
  EXPECT_EQ(entries[1]["bytes"], 5);
}

TEST_F(Files, ListComesInPagesWithoutGapsOrRepetitions) {
  std::filesystem::create_directory(directory_ / "d");
  std::vector<std::string> all;
  for (int i = 0; i < 95; ++i) all.push_back("d/f" + std::to_string(1000 + i));
  for (const std::string& name : all) directory_.Write(name, "");
  std::vector<std::string> seen;
  nlohmann::json after;
  int pages = 0;
  do {
    const nlohmann::json page = JsonOf(List({{"path", "d"}, {"limit", 10}, {"after", after}}));
    EXPECT_LE(page["entries"].size(), 10u);
    for (const nlohmann::json& entry : page["entries"]) seen.push_back("d/" + entry["name"].get<std::string>());
    after = page.value("next", nlohmann::json());
  } while (++pages < 20 && !after.is_null());
  EXPECT_EQ(pages, 10);
  EXPECT_EQ(seen, all);
  EXPECT_EQ(ErrorType(List({{"path", "d"}, {"limit", 51}})), "InvalidInput");
  EXPECT_EQ(ErrorType(List({{"path", "d"}, {"limit", 0}})), "InvalidInput");
}

TEST_F(Files, ListLeavesOutUnfinishedWritesAndNamesThatAreNotUtf8) {
  directory_.Write(".muster-0123456789abcdef.tmp", "");
  directory_.Write(".muster-mine.tmp", "");
  directory_.Write("bad\xFF", "");
  const nlohmann::json page = JsonOf(List("."));
  ASSERT_EQ(page["entries"].size(), 1u) << page;
  EXPECT_EQ(page["entries"][0]["name"], ".muster-mine.tmp");
  EXPECT_EQ(page["unreadable"], 1);
}

TEST_F(Files, MissingThingsAreNotFoundAndErrorsHideTheRoot) {
  for (const char* function : {"file.read", "file.list"}) {
    const absl::StatusOr<jobs::Payload> missing = CallBlocking(registry_, function, nlohmann::json("no/where"));
    EXPECT_EQ(ErrorType(missing), "NotFound");
    EXPECT_NE(ErrorMessage(missing).find("no/where"), std::string::npos);
    EXPECT_EQ(ErrorMessage(missing).find(directory_.path()), std::string::npos);
  }
  EXPECT_EQ(ErrorType(Read(nlohmann::json::object())), "InvalidInput");
  EXPECT_EQ(ErrorType(Write({{"path", "x"}})), "InvalidInput");
  EXPECT_EQ(ErrorType(Write({{"path", "x"}, {"data", ""}, {"data_base64", ""}})), "InvalidInput");
}

}  // namespace
}  // namespace muster::functions
