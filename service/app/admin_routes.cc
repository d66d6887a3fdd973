#include "service/app/admin_routes.h"

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "service/base/options/value_text.h"
#include "service/base/status.h"

namespace muster::app {
namespace {

// How long one advance of a manual clock may take in real time.
constexpr base::Duration kAdvanceLimit = std::chrono::seconds(10);

absl::StatusOr<std::string> Operate(StoreWatch& store, std::string_view operation) {
  if (operation != "operation") {
    MUSTER_RETURN_IF_ERROR(store.Begin(operation));
  }
  return store.State() + "\n";
}

absl::StatusOr<std::string> Advance(executor::ManualTime& time, std::string_view duration) {
  const std::optional<base::Duration> by = base::ParseDuration(duration);
  if (!by.has_value()) return absl::InvalidArgumentError("no duration; write one such as 90s or 1h30m");
  if (!time.AdvanceBlocking(*by, kAdvanceLimit)) {
    return absl::DeadlineExceededError("something is still busy after ten seconds of real time");
  }
  return std::string("ok\n");
}

}  // namespace

void AddStoreRoutes(http::Router& router, StoreWatch& store) {
  router.Add(http::Method::kPost, "/store/",
             [&store](std::string_view rest) { return http::AnswerOf(Operate(store, rest)); });
}

void AddClockRoutes(http::Router& router, executor::ManualTime& time) {
  router.Add(http::Method::kPost, "/clock/advance/",
             [&time](std::string_view rest) { return http::AnswerOf(Advance(time, rest)); });
}

}  // namespace muster::app
