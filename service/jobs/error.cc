#include "service/jobs/error.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

#include "service/base/cord.h"
#include "service/jobs/error_codec.h"
#include "service/jobs/json.h"
#include "service/jobs/utf8.h"

namespace muster::jobs {
namespace {

constexpr char kErrorUrl[] = "muster/error";

absl::Status WithError(absl::StatusCode code, const values::Error& error) {
  absl::Status status(code, error.message);
  status.SetPayload(kErrorUrl, base::MakeCord(EncodeError(error)));
  return status;
}

std::optional<values::Error> ErrorIn(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorUrl);
  if (!payload.has_value()) return std::nullopt;
  return DecodeError(std::string(*payload));
}

absl::StatusCode CodeOf(values::ErrorKind kind) {
  switch (kind) {
    case values::ErrorKind::kCancelled:
      return absl::StatusCode::kCancelled;
    case values::ErrorKind::kTimedOut:
      return absl::StatusCode::kDeadlineExceeded;
    case values::ErrorKind::kInvalidInput:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kUnknown;
  }
}

values::Error FromStatus(const absl::Status& status) {
  if (std::optional<values::Error> carried = ErrorIn(status)) return *std::move(carried);
  values::Error error;
  error.message = std::string(status.message());
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      error.kind = values::ErrorKind::kInvalidInput;
      error.type = "InvalidInput";
      break;
    case absl::StatusCode::kDeadlineExceeded:
      error.kind = values::ErrorKind::kTimedOut;
      error.type = "TimeoutError";
      break;
    default:
      error.type = absl::StatusCodeToString(status.code());
  }
  return error;
}

// What of a payload could go into no message, in words; empty: nothing. JSON is checked by whoever reads it.
std::string Unsendable(const values::Payload& payload) {
  if (payload.content == nullptr) return "";
  const values::Payload::Content& content = *payload.content;
  if (content.encoding == values::Encoding::kText) {
    if (const size_t valid = Utf8Prefix(content.body); valid < content.body.size()) {
      return fmt::format("text that is not UTF-8 at byte {} of {}; return it as bytes", valid, content.body.size());
    }
  }
  if (!IsUtf8(content.content_type)) return "a content type that is not UTF-8";
  for (const auto& [key, value] : content.metadata) {
    if (!IsUtf8(key) || !IsUtf8(value)) return fmt::format("metadata \"{}\" that is not UTF-8", MakeUtf8(key));
  }
  return "";
}

std::string Unsendable(const values::Error& error) {
  if (!IsUtf8(error.type)) return "an error type that is not UTF-8";
  if (!IsUtf8(error.message)) return "an error message that is not UTF-8";
  if (std::string details = Unsendable(error.details); !details.empty()) return "error details with " + details;
  return error.cause == nullptr ? "" : Unsendable(*error.cause);
}

values::OutcomeRef Invalid(std::string_view what, std::string_view message = {}) {
  values::Error error;
  error.type = "InvalidOutcome";
  error.message = fmt::format("the function returned {}", what);
  if (!message.empty()) error.message += fmt::format(": {}", message);
  return values::Outcome::Failed(std::move(error));
}

// Values of a gather as one JSON array: text that is no JSON travels as a string, bytes as base64.
nlohmann::json AsJson(const values::Payload& payload) {
  if (absl::StatusOr<nlohmann::json> parsed = ParseJson(payload); parsed.ok()) return *std::move(parsed);
  return payload.encoding() == values::Encoding::kText ? payload.body() : absl::Base64Escape(payload.body());
}

}  // namespace

absl::Status Failure(std::string_view type, std::string_view message, values::Payload details) {
  values::Error error;
  error.type = std::string(type);
  error.message = std::string(message);
  error.details = std::move(details);
  return WithError(absl::StatusCode::kUnknown, error);
}

absl::Status InvalidInput(std::string_view message) { return absl::InvalidArgumentError(std::string(message)); }

values::OutcomeRef ToOutcome(absl::StatusOr<values::Payload> result) {
  if (result.ok()) {
    if (const std::string what = Unsendable(*result); !what.empty()) return Invalid(what);
    return values::Outcome::Value(*std::move(result));
  }
  const absl::Status& status = result.status();
  if (status.code() == absl::StatusCode::kCancelled) {
    return values::Outcome::Cancelled(MendUtf8(std::string(status.message())));
  }
  values::Error error = FromStatus(status);
  error.message = MendUtf8(std::move(error.message));
  if (const std::string what = Unsendable(error); !what.empty()) return Invalid(what, error.message);
  return values::Outcome::Failed(std::move(error));
}

absl::StatusOr<values::Payload> FromOutcome(const values::OutcomeRef& outcome) {
  switch (outcome->kind) {
    case values::Outcome::Kind::kValue:
      return outcome->value;
    case values::Outcome::Kind::kError:
      return WithError(CodeOf(outcome->error->kind), *outcome->error);
    case values::Outcome::Kind::kCancelled:
      return absl::CancelledError(outcome->error ? outcome->error->message : std::string());
    case values::Outcome::Kind::kGathered:
      break;
  }
  nlohmann::json values = nlohmann::json::array();
  for (const values::OutcomeRef& member : outcome->gathered) {
    absl::StatusOr<values::Payload> value = FromOutcome(member);
    if (!value.ok()) return value.status();
    values.push_back(AsJson(*value));
  }
  return JsonPayload(values);
}

}  // namespace muster::jobs
