#include "service/functions/reference.h"

#include <memory>

#include "fmt/format.h"

#include "service/base/check.h"
#include "service/executor/reactor.h"
#include "service/functions/register.h"
#include "service/jobs/json.h"

namespace muster::functions {
namespace {

constexpr char kHead[] =
    "# Functions\n\n"
    "What `musterd` can run by itself. This page is made from the code: `musterd --print-reference=functions` prints "
    "it, "
    "and `muster functions` lists what a running server has. Functions of your own: "
    "[how to add them](../how-to/own-functions.md).\n\n"
    "An *async* function runs on a loop, a *blocking* one on a thread of the blocking pool. `file.*` and the \"path\" "
    "of "
    "`checksum` exist when a root is configured, `test.program` under `--clock=manual` only. Limits are the defaults; "
    "the "
    "[configuration](configuration.md) changes them. Unknown keys of an input are errors. JSON's numbers are doubles; "
    "bytes travel as base64 in keys that end in `_base64`.\n";

std::string_view KindName(values::FunctionKind kind) {
  return kind == values::FunctionKind::kBlocking ? "blocking" : "async";
}

}  // namespace

std::string ReferenceMarkdown(const jobs::Registry& registry) {
  std::string page;
  for (const jobs::Function* function : registry.Sorted()) {
    const absl::StatusOr<nlohmann::json> example = jobs::ParseJson(function->input_example);
    page += fmt::format("\n## {}\n\n*{}.* {}\n\n```json\n{}\n```\n", function->name, KindName(function->kind),
                        function->description, example.ok() ? example->dump() : function->input_example.body());
  }
  return page;
}

std::string ReferenceMarkdown() {
  jobs::Registry registry;
  const auto add = [](const absl::Status& status) { MUSTER_CHECK(status.ok()) << std::string(status.message()); };
  const std::shared_ptr<const FileRoot> root = FileRoot::ForReference(FileOptions());
  const auto reactor = executor::Reactor::Create({});
  MUSTER_CHECK(reactor.ok()) << std::string(reactor.status().message());
  add(RegisterEcho(registry));
  add(RegisterSleep(registry, std::chrono::hours(24 * 365)));
  add(RegisterFail(registry));
  add(RegisterChecksum(registry, root));
  add(RegisterFileRead(registry, root));
  add(RegisterFileWrite(registry, root));
  add(RegisterFileList(registry, root));
  add(RegisterHttpRequest(registry, HttpOptions(), **reactor));
  add(RegisterTestProgram(registry));
  return kHead + ReferenceMarkdown(registry);
}

}  // namespace muster::functions
