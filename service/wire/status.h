// Refusals on the wire: absl::Status to a google.rpc.Status with its details, and to the ItemStatus of a batch.
//
// A refusal made by base::Refuse, or by Plain, goes out as it is. Any other status is a fault of the server, or the
// client's own cancel: its text is logged, not sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace muster::v1 {
class ItemStatus;
class RpcStatus;
}  // namespace muster::v1

namespace muster::wire {

// For whom a status is made; outlives only the call.
struct StatusContext {
  StatusContext() = default;
  StatusContext(std::string_view m, std::string_view ns) : method(m), name_space(ns) {}
  std::string_view method;      // for the log
  std::string_view name_space;  // as the client named it; QuotaFailure says whose limit was reached
};

// For protocols whose refusals have no reason of ours, such as health.
absl::Status Plain(absl::StatusCode code, std::string_view message);

// Of a status that is not OK. Everything together stays below the 8 KiB that metadata may have.
void ToRpcStatus(const absl::Status& status, const StatusContext& context, muster::v1::RpcStatus& out);
// `message_max`: bytes that the message may have, where many go into one answer.
void ToItemStatus(const absl::Status& status, muster::v1::ItemStatus& out, size_t message_max = SIZE_MAX);

}  // namespace muster::wire
