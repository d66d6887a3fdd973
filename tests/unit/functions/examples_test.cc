// Every function says what it does and shows an input that works; families add what they are asked for.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/functions/basic/family.h"
#include "service/functions/file/family.h"
#include "service/functions/test/family.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/functions/call.h"
#include "tests/unit/functions/temporary_directory.h"

namespace muster::functions {
namespace {

TEST(Examples, EachRuns) {
  TemporaryDirectory directory;
  jobs::Registry registry;
  Environment environment;
  environment.manual_clock = true;
  FileOptions files;
  files.root = directory.path();
  ASSERT_TRUE(BasicFamily().Register(registry, environment).ok());
  ASSERT_TRUE(FileFamily(files).Register(registry, environment).ok());
  ASSERT_TRUE(TestFamily().Register(registry, environment).ok());
  ASSERT_TRUE(CallBlocking(registry, "file.write", registry.Find("file.write")->input_example).ok());

  for (const jobs::Function* function : registry.Sorted()) {
    SCOPED_TRACE(function->name);
    EXPECT_GT(function->description.size(), 20u);
    EXPECT_EQ(function->input_example.encoding(), values::Encoding::kJson);
    if (function->kind == values::FunctionKind::kBlocking) {
      const absl::StatusOr<jobs::Payload> output = CallBlocking(registry, function->name, function->input_example);
      EXPECT_TRUE(output.ok()) << output.status();
      continue;
    }
    test::ManualExecutor executor;
    FakeJobContext context;
    const absl::StatusOr<jobs::Payload> output = executor.Run(function->async(context, function->input_example));
    if (function->name == "fail") {
      EXPECT_EQ(ErrorType(output), "ValueError");
    } else {
      EXPECT_TRUE(output.ok()) << output.status();
    }
  }
}

TEST(Family, FileFunctionsNeedARoot) {
  jobs::Registry registry;
  ASSERT_TRUE(FileFamily().Register(registry, {}).ok());
  EXPECT_NE(registry.Find("checksum"), nullptr);
  EXPECT_EQ(registry.Find("file.read"), nullptr);
}

TEST(Family, ThePageHasWhatIsNotConfiguredToo) {
  jobs::Registry registry;
  Environment environment;
  environment.describe = true;
  ASSERT_TRUE(FileFamily().Register(registry, environment).ok());
  ASSERT_TRUE(TestFamily().Register(registry, environment).ok());
  EXPECT_NE(registry.Find("file.read"), nullptr);
  EXPECT_NE(registry.Find("test.program"), nullptr);
}

TEST(Family, TestProgramsNeedAManualClock) {
  jobs::Registry registry;
  ASSERT_TRUE(TestFamily().Register(registry, {}).ok());
  EXPECT_EQ(registry.size(), 0u);
}

TEST(Family, IsRegisteredOnce) {
  jobs::Registry registry;
  ASSERT_TRUE(BasicFamily().Register(registry, {}).ok());
  EXPECT_EQ(BasicFamily().Register(registry, {}).code(), absl::StatusCode::kAlreadyExists);
}

TEST(Family, RefusesARootThatIsNone) {
  TemporaryDirectory directory;
  directory.Write("file", "");
  for (const std::string& root :
       {directory / "missing", directory / "file", std::string("/"), std::string("/etc/..")}) {
    jobs::Registry registry;
    FileOptions options;
    options.root = root;
    const absl::Status refused = FileFamily(options).Register(registry, {});
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << root << ": " << refused;
    EXPECT_EQ(registry.size(), 0u);
  }
}

// What Options() binds is what Register reads.
TEST(Family, AnOptionThatIsStoredIsInForce) {
  BasicFamily family;
  const std::vector<base::Option> options = family.Options();
  ASSERT_EQ(options.size(), 1u);
  EXPECT_EQ(base::StoreValue(options.front(), "2m"), "");
  EXPECT_EQ(base::ValueText(options.front()), "2m");
  jobs::Registry registry;
  ASSERT_TRUE(family.Register(registry, {}).ok());
  EXPECT_NE(registry.Find("sleep")->description.find("at most 120 seconds"), std::string::npos);
}

}  // namespace
}  // namespace muster::functions
