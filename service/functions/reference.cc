#include "service/functions/reference.h"

#include <string_view>

#include "fmt/format.h"

#include "service/base/check.h"
#include "service/executor/reactor.h"
#include "service/jobs/json.h"

namespace muster::functions {
namespace {

// {}: which functions exist under which condition.
constexpr char kHead[] =
    "# Functions\n\n"
    "What `musterd` can run by itself. This page is made from the code: `musterd --print-reference=functions` prints "
    "it, "
    "and `muster functions` lists what a running server has. Functions of your own: "
    "[how to add them](../how-to/own-functions.md).\n\n"
    "An *async* function runs on a loop, a *blocking* one on a thread of the blocking pool. {}. Limits are the "
    "defaults; the [configuration](configuration.md) changes them. Unknown keys of an input are errors. JSON's numbers "
    "are doubles; bytes travel as base64 in keys that end in `_base64`.\n";

std::string_view KindName(values::FunctionKind kind) {
  return kind == values::FunctionKind::kBlocking ? "blocking" : "async";
}

std::string Existences(const Families& families) {
  std::string text;
  for (const auto& family : families) {
    if (family->existence().empty()) continue;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", family->existence());
  }
  return text;
}

}  // namespace

std::string ReferenceMarkdown(const Families& families) {
  const auto reactor = executor::Reactor::Create({});
  MUSTER_CHECK(reactor.ok()) << std::string(reactor.status().message());
  Environment environment;
  environment.reactor = reactor->get();
  environment.describe = true;
  jobs::Registry registry;
  for (const auto& family : families) {
    const absl::Status added = family->Register(registry, environment);
    MUSTER_CHECK(added.ok()) << std::string(added.message());
  }
  std::string page = fmt::format(kHead, Existences(families));
  for (const jobs::Function* function : registry.Sorted()) {
    const absl::StatusOr<nlohmann::json> example = jobs::ParseJson(function->input_example);
    page += fmt::format("\n## {}\n\n*{}.* {}\n\n```json\n{}\n```\n", function->name, KindName(function->kind),
                        function->description, example.ok() ? example->dump() : function->input_example.body());
  }
  return page;
}

}  // namespace muster::functions
