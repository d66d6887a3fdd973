#include "muster/status.h"

#include <chrono>

#include "absl/strings/cord.h"

#include "service/base/cord.h"

namespace muster::client {
namespace {

constexpr char kStatusUrl[] = "muster/rpc-status";
constexpr char kTypePrefix[] = "type.googleapis.com/google.rpc.";

v1::RpcStatus DetailsOf(const absl::Status& status) {
  v1::RpcStatus details;
  const auto payload = status.GetPayload(kStatusUrl);
  if (payload.has_value() && !details.ParseFromString(std::string(*payload))) details.Clear();
  return details;
}

// The first detail of the kind that `Message` stands for.
template <typename Message>
std::optional<Message> Detail(const absl::Status& status, const std::string& kind) {
  const v1::RpcStatus details = DetailsOf(status);
  Message message;
  for (const auto& any : details.details()) {
    if (any.type_url() == kTypePrefix + kind && message.ParseFromString(any.value())) return message;
  }
  return std::nullopt;
}

}  // namespace

std::string ReasonName(const absl::Status& status) {
  const auto info = Detail<v1::ErrorInfo>(status, "ErrorInfo");
  return info.has_value() ? info->reason() : std::string();
}

v1::ErrorReason ReasonOf(const absl::Status& status) {
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  if (!v1::ErrorReason_Parse("ERROR_REASON_" + ReasonName(status), &reason)) return v1::ERROR_REASON_UNSPECIFIED;
  return reason;
}

std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> violations;
  const auto bad = Detail<v1::BadRequest>(status, "BadRequest");
  if (!bad.has_value()) return violations;
  for (const auto& violation : bad->field_violations()) {
    violations.push_back(FieldViolation{violation.field(), violation.description()});
  }
  return violations;
}

std::optional<base::Duration> RetryDelayOf(const absl::Status& status) {
  const auto info = Detail<v1::RetryInfo>(status, "RetryInfo");
  if (!info.has_value()) return std::nullopt;
  return std::chrono::seconds(info->retry_delay().seconds()) +
         std::chrono::microseconds(info->retry_delay().nanos() / 1000);
}

std::string MetadataOf(const absl::Status& status, const std::string& key) {
  const auto info = Detail<v1::ErrorInfo>(status, "ErrorInfo");
  if (!info.has_value()) return {};
  const auto found = info->metadata().find(key);
  return found == info->metadata().end() ? std::string() : found->second;
}

absl::Status FromRpcStatus(int code, const std::string& message, const std::string& details) {
  absl::Status status(static_cast<absl::StatusCode>(code), message);
  if (!status.ok() && !details.empty()) status.SetPayload(kStatusUrl, base::MakeCord(details));
  return status;
}

absl::Status FromItemStatus(const v1::ItemStatus& item) {
  if (item.code() == 0) return absl::OkStatus();
  v1::RpcStatus details;
  details.set_code(item.code());
  details.set_message(item.message());
  if (item.reason() != v1::ERROR_REASON_UNSPECIFIED) {
    v1::ErrorInfo info;
    info.set_reason(v1::ErrorReason_Name(item.reason()).substr(std::string("ERROR_REASON_").size()));
    info.set_domain("muster");
    auto* any = details.add_details();
    std::string type(kTypePrefix);
    type += "ErrorInfo";
    any->set_type_url(type);
    any->set_value(info.SerializeAsString());
  }
  return FromRpcStatus(item.code(), item.message(), details.SerializeAsString());
}

}  // namespace muster::client
