#include "muster/values.h"

#include <utility>

#include <google/protobuf/util/json_util.h>

#include "absl/strings/cord.h"

#include "service/base/cord.h"

namespace muster::client {
namespace {

constexpr char kErrorUrl[] = "muster/job-error";

absl::StatusCode CodeOf(v1::ErrorKind kind) {
  switch (kind) {
    case v1::ERROR_KIND_CANCELLED:
      return absl::StatusCode::kCancelled;
    case v1::ERROR_KIND_TIMED_OUT:
    case v1::ERROR_KIND_QUEUE_TIMED_OUT:
      return absl::StatusCode::kDeadlineExceeded;
    case v1::ERROR_KIND_INVALID_INPUT:
      return absl::StatusCode::kInvalidArgument;
    case v1::ERROR_KIND_INTERRUPTED:
      return absl::StatusCode::kAborted;
    default:
      return absl::StatusCode::kUnknown;
  }
}

}  // namespace

absl::StatusOr<Payload> FromJson(std::string_view text) {
  Payload payload;
  const auto status = google::protobuf::util::JsonStringToMessage(std::string(text), payload.mutable_json());
  if (!status.ok()) return absl::InvalidArgumentError("not JSON: " + std::string(status.message()));
  return payload;
}

Payload FromText(std::string text, std::string content_type) {
  Payload payload;
  payload.set_text(std::move(text));
  payload.set_content_type(std::move(content_type));
  return payload;
}

Payload FromBytes(std::string data, std::string content_type) {
  Payload payload;
  payload.set_data(std::move(data));
  payload.set_content_type(std::move(content_type));
  return payload;
}

absl::StatusOr<std::string> JsonText(const Payload& payload) {
  google::protobuf::Value text;
  const google::protobuf::Value* value = &payload.json();
  switch (payload.body_case()) {
    case Payload::kJson:
      break;
    case Payload::kText:
      text.set_string_value(payload.text());
      value = &text;
      break;
    case Payload::BODY_NOT_SET:
      return "null";
    default:
      return absl::FailedPreconditionError("the payload holds bytes, not JSON");
  }
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(*value, &json);
  if (!status.ok())
    return absl::InternalError("the payload's JSON cannot be written: " + std::string(status.message()));
  return json;
}

bool IsDone(v1::FutureState state) {
  switch (state) {
    case v1::FUTURE_STATE_SUCCEEDED:
    case v1::FUTURE_STATE_FAILED:
    case v1::FUTURE_STATE_CANCELLED:
    case v1::FUTURE_STATE_EXPIRED:
      return true;
    default:
      return false;
  }
}

absl::Status StatusOfError(const Error& error) {
  std::string message = error.type();
  if (!message.empty() && !error.message().empty()) message += ": ";
  message += error.message();
  absl::Status status(CodeOf(error.kind()), message);
  status.SetPayload(kErrorUrl, base::MakeCord(error.SerializeAsString()));
  return status;
}

std::optional<Error> ErrorOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorUrl);
  Error error;
  if (!payload.has_value() || !error.ParseFromString(std::string(*payload))) return std::nullopt;
  return error;
}

absl::StatusOr<Payload> ValueOf(const Outcome& outcome) {
  switch (outcome.kind_case()) {
    case Outcome::kValue:
      return outcome.value();
    case Outcome::kError:
      return StatusOfError(outcome.error());
    case Outcome::kCancelled: {
      Error cancelled = outcome.cancelled();
      cancelled.set_kind(v1::ERROR_KIND_CANCELLED);
      return StatusOfError(cancelled);
    }
    case Outcome::kGathered:
      return absl::FailedPreconditionError("the outcome is a gather's list of outcomes, not one value");
    default:
      return absl::FailedPreconditionError("there is no outcome");
  }
}

}  // namespace muster::client
