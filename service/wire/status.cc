#include "service/wire/status.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "absl/strings/cord.h"
#include "fmt/format.h"

#include "muster/v1/error.pb.h"
#include "service/base/check.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/reason.h"
#include "service/base/shortened.h"

namespace muster::wire {
namespace {

namespace pb = ::muster::v1;
using base::Reason;

constexpr char kPlainUrl[] = "muster/plain";

// The text goes out up to three times, once percent-encoded and twice in base 64.
constexpr size_t kMessageBytesMax = 900;
constexpr size_t kFieldBytesMax = 200;

pb::ErrorReason WireReason(Reason reason) {
  pb::ErrorReason wire = pb::ERROR_REASON_UNSPECIFIED;
  const bool known = pb::ErrorReason_Parse(fmt::format("ERROR_REASON_{}", base::ReasonName(reason)), &wire);
  MUSTER_CHECK(known) << "a reason that the wire does not know: " << base::ReasonName(reason);
  return wire;
}

// How long to wait before the next try; nothing where trying again does not help.
std::optional<base::Duration> RetryDelay(Reason reason) {
  switch (reason) {
    case Reason::kQueueFull:
      return std::chrono::milliseconds(200);
    case Reason::kTooManyFutures:
    case Reason::kTooManyWaiters:
    case Reason::kTooManyStreams:
    case Reason::kCreditsOverrun:
    case Reason::kDraining:
    case Reason::kRecovering:
      return std::chrono::seconds(1);
    case Reason::kTooManyBytes:
    case Reason::kTooManyRequestIds:
    case Reason::kTooManyNamespaces:
    case Reason::kStoreFull:
      return std::chrono::seconds(30);
    default:
      return std::nullopt;
  }
}

// What a client may be told of a status: a refusal as it is; its own cancel or deadline; of all else nothing.
absl::Status Public(const absl::Status& status, const StatusContext& context) {
  if (status.ok() || base::ReasonOf(status).has_value() || status.GetPayload(kPlainUrl).has_value()) return status;
  if (absl::IsCancelled(status)) return absl::CancelledError("the call was cancelled");
  static base::LogLimiter limiter;
  base::LogLimited(limiter, base::LogLevel::kError, "an RPC failed for a reason of the server's own",
                   {{"rpc", context.method}, {"status", status.ToString()}});
  return base::Refuse(Reason::kInternal, "a fault of the server; its log says more");
}

template <typename Detail>
void Pack(const Detail& detail, const char* type, pb::RpcStatus& into) {
  google::protobuf::Any& any = *into.add_details();
  any.set_type_url(fmt::format("type.googleapis.com/google.rpc.{}", type));
  detail.SerializeToString(any.mutable_value());
}

void AddDetails(Reason reason, const std::string& field, const StatusContext& context, pb::RpcStatus& out) {
  pb::ErrorInfo info;
  info.set_reason(std::string(base::ReasonName(reason)));
  info.set_domain("muster");
  if (!field.empty()) (*info.mutable_metadata())["field"] = field;
  Pack(info, "ErrorInfo", out);

  if (!field.empty()) {
    pb::BadRequest bad;
    pb::BadRequest::FieldViolation& violation = *bad.add_field_violations();
    violation.set_field(field);
    violation.set_description(out.message());
    Pack(bad, "BadRequest", out);
  }
  if (const auto delay = RetryDelay(reason)) {
    pb::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(delay->count() / 1'000'000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(delay->count() % 1'000'000 * 1000));
    Pack(retry, "RetryInfo", out);
  }
  if (base::ReasonCode(reason) == absl::StatusCode::kResourceExhausted) {
    pb::QuotaFailure quota;
    pb::QuotaFailure::Violation& violation = *quota.add_violations();
    const std::string_view name = context.name_space.empty() ? "default" : context.name_space;
    violation.set_subject(reason == Reason::kTooManyBytes ? fmt::format("namespace:{}", name) : "server");
    violation.set_description(out.message());
    Pack(quota, "QuotaFailure", out);
  }
}

}  // namespace

absl::Status Plain(absl::StatusCode code, std::string_view message) {
  absl::Status status(code, std::string(message));
  status.SetPayload(kPlainUrl, absl::Cord());
  return status;
}

void ToRpcStatus(const absl::Status& given, const StatusContext& context, pb::RpcStatus& out) {
  const absl::Status status = Public(given, context);
  out.set_code(static_cast<int>(status.code()));  // absl's codes are gRPC's
  const auto message = status.message();
  out.set_message(base::Shortened(std::string_view(message.data(), message.size()), kMessageBytesMax));
  if (const auto reason = base::ReasonOf(status)) {
    AddDetails(*reason, base::Shortened(base::FieldOf(status), kFieldBytesMax), context, out);
  }
}

void ToItemStatus(const absl::Status& given, pb::ItemStatus& out, size_t message_max) {
  if (given.ok()) return;
  const absl::Status status = Public(given, StatusContext());
  out.set_code(static_cast<int>(status.code()));
  const auto message = status.message();
  out.set_message(
      base::Shortened(std::string_view(message.data(), message.size()), std::min(message_max, kMessageBytesMax)));
  if (const auto reason = base::ReasonOf(status)) out.set_reason(WireReason(*reason));
}

}  // namespace muster::wire
