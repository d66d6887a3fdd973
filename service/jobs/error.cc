#include "service/jobs/error.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "nlohmann/json.hpp"

#include "service/base/cord.h"
#include "service/jobs/error_codec.h"
#include "service/jobs/json.h"

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
  if (result.ok()) return values::Outcome::Value(*std::move(result));
  const absl::Status& status = result.status();
  if (status.code() == absl::StatusCode::kCancelled) {
    return values::Outcome::Cancelled(std::string(status.message()));
  }
  return values::Outcome::Failed(FromStatus(status));
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
