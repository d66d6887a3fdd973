// `sleep`: asyncio.sleep as a function.
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/functions/basic/register.h"
#include "service/functions/input.h"
#include "service/jobs/error.h"
#include "service/jobs/json.h"

namespace muster::functions {
namespace {

absl::StatusOr<base::Duration> FromSeconds(double seconds, base::Duration sleep_max) {
  const double max = std::chrono::duration<double>(sleep_max).count();
  if (!(seconds >= 0 && seconds <= max)) {
    return jobs::InvalidInput(fmt::format("seconds: {}, must be from 0 to {}", seconds, max));
  }
  return base::Duration(std::llround(seconds * 1e6));
}

absl::StatusOr<double> ParseNumber(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return jobs::InvalidInput(fmt::format("seconds: {}, must be a number", Shown(text)));
  }
  return number;
}

absl::StatusOr<double> Seconds(const jobs::Payload& payload) {
  if (payload.encoding() == values::Encoding::kText) {
    return ParseNumber(payload.body());
  }
  MUSTER_ASSIGN_OR_RETURN(const nlohmann::json document, jobs::ParseJson(payload));
  const nlohmann::json* seconds = &document;
  if (document.is_object()) {
    if (document.size() != 1 || !document.contains("seconds")) {
      return jobs::InvalidInput(fmt::format("the input is {}, must be {{\"seconds\": number}}", Shown(document)));
    }
    seconds = &document.at("seconds");
  }
  if (seconds->is_string()) return ParseNumber(seconds->get<std::string>());
  if (!seconds->is_number()) {
    return jobs::InvalidInput(fmt::format("seconds: {}, must be a number", Shown(*seconds)));
  }
  return seconds->get<double>();
}

coro::Task<absl::StatusOr<jobs::Payload>> Sleep(jobs::JobContext& context, jobs::Payload input,
                                                base::Duration sleep_max) {
  MUSTER_CO_ASSIGN_OR_RETURN(const double seconds, Seconds(input));
  MUSTER_CO_ASSIGN_OR_RETURN(const base::Duration duration, FromSeconds(seconds, sleep_max));
  MUSTER_CO_RETURN_IF_ERROR(co_await context.Sleep(duration));
  static const jobs::Payload null = jobs::JsonPayload(nullptr);
  co_return null;
}

}  // namespace

absl::Status RegisterSleep(jobs::Registry& registry, base::Duration sleep_max) {
  return registry.AddAsync(
      "sleep",
      fmt::format("Waits, then returns null. The input is {{\"seconds\": number}}, or the number alone, as JSON or as "
                  "text; at least 0 and at most {} seconds. A cancel ends it at once.",
                  std::chrono::duration_cast<std::chrono::seconds>(sleep_max).count()),
      jobs::JsonPayload({{"seconds", 0.05}}), [sleep_max](jobs::JobContext& context, jobs::Payload input) {
        return Sleep(context, std::move(input), sleep_max);
      });
}

}  // namespace muster::functions
