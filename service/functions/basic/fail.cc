// `fail`: a typed error, for trying out what a client does with one.
#include <utility>

#include "service/base/status.h"
#include "service/functions/basic/register.h"
#include "service/functions/input.h"
#include "service/jobs/error.h"
#include "service/jobs/json.h"

namespace muster::functions {
namespace {

constexpr size_t kTypeMax = 128;
constexpr size_t kMessageMax = 64 << 10;

coro::Task<absl::StatusOr<jobs::Payload>> Fail(jobs::JobContext&, jobs::Payload payload) {
  Input input = Input::Object(payload, {"type", "message", "details"}, "message");
  std::string type = input.Text("type", kTypeMax);
  const std::string message = input.Text("message", kMessageMax);
  if (!input.ok()) co_return input.status();
  if (type.empty()) type = "Failure";
  const nlohmann::json* details = input.Find("details");
  co_return jobs::Failure(type, message, details == nullptr ? jobs::Payload() : jobs::JsonPayload(*details));
}

}  // namespace

absl::Status RegisterFail(jobs::Registry& registry) {
  return registry.AddAsync(
      "fail",
      "Fails with an error of the caller's choice. \"type\" is the error's type (\"Failure\" when "
      "absent, at most 128 bytes), \"message\" its text, \"details\" any JSON. Plain text is the "
      "message.",
      jobs::JsonPayload({{"type", "ValueError"}, {"message", "no such color"}, {"details", {{"color", "mauve"}}}}),
      Fail);
}

}  // namespace muster::functions
