// Every function says what it does and shows an input that works.
#include <string>

#include <gtest/gtest.h>

#include "service/functions/builtins.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/functions/call.h"
#include "tests/unit/functions/temporary_directory.h"

namespace muster::functions {
namespace {

TEST(Examples, EachRuns) {
  TemporaryDirectory directory;
  jobs::Registry registry;
  BuiltinOptions options;
  options.files.root = directory.path();
  options.test_program = true;
  ASSERT_TRUE(RegisterBuiltins(registry, options).ok());
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

TEST(Builtins, FileFunctionsNeedARoot) {
  jobs::Registry registry;
  ASSERT_TRUE(RegisterBuiltins(registry, BuiltinOptions()).ok());
  EXPECT_NE(registry.Find("echo"), nullptr);
  EXPECT_EQ(registry.Find("file.read"), nullptr);
  EXPECT_EQ(registry.Find("http.request"), nullptr);
  EXPECT_EQ(registry.Find("test.program"), nullptr);
}

TEST(Builtins, AreRegisteredOnce) {
  jobs::Registry registry;
  ASSERT_TRUE(RegisterBuiltins(registry, BuiltinOptions()).ok());
  EXPECT_EQ(RegisterBuiltins(registry, BuiltinOptions()).code(), absl::StatusCode::kAlreadyExists);
}

TEST(Builtins, RefuseARootThatIsNone) {
  TemporaryDirectory directory;
  directory.Write("file", "");
  for (const std::string& root :
       {directory / "missing", directory / "file", std::string("/"), std::string("/etc/..")}) {
    jobs::Registry registry;
    BuiltinOptions options;
    options.files.root = root;
    const absl::Status refused = RegisterBuiltins(registry, options);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << root << ": " << refused;
    EXPECT_EQ(registry.size(), 0u);
  }
}

}  // namespace
}  // namespace muster::functions
