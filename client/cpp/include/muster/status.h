// What a refused RPC says beyond its code: the service's reason, the fields at fault, when to try again.
//
//   absl::StatusOr<Submitted> made = client.Submit(spec);
//   if (client::ReasonOf(made.status()) == v1::ERROR_REASON_UNKNOWN_FUNCTION) ...
//
// Statuses made by the library carry it as a payload, so it survives copies and being passed on. Threading: values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "muster/v1/error.pb.h"
#include "service/base/clock.h"

namespace muster::client {

// Unspecified when the status does not come from the service or the reason is newer than this library.
v1::ErrorReason ReasonOf(const absl::Status& status);
// "FUTURE_NOT_FOUND"; empty when there is none. Also a reason that this library does not know.
std::string ReasonName(const absl::Status& status);

struct FieldViolation {
  std::string field;  // "future.options.delay"
  std::string description;
};
std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status);

// How long the service asks to wait before the next try.
std::optional<base::Duration> RetryDelayOf(const absl::Status& status);
// Values that a program may want, such as a limit; empty when absent.
std::string MetadataOf(const absl::Status& status, const std::string& key);

// An item's status of a batch as an absl::Status with its reason.
absl::Status FromItemStatus(const v1::ItemStatus& item);
// A code, a message and the serialized google.rpc.Status of a refused RPC.
absl::Status FromRpcStatus(int code, const std::string& message, const std::string& details);

}  // namespace muster::client
