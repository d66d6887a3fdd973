#include "service/base/reason.h"

#include "service/base/cord.h"

namespace muster::base {
namespace {

constexpr char kReasonUrl[] = "muster/reason";
constexpr char kFieldUrl[] = "muster/field";

struct Row {
  Reason reason;
  std::string_view name;
  absl::StatusCode code;
};

constexpr Row kRows[] = {
#define MUSTER_REASON_ROW(name, wire, code) {Reason::name, #wire, absl::StatusCode::code},
    MUSTER_REASONS(MUSTER_REASON_ROW)
#undef MUSTER_REASON_ROW
};

const Row& RowOf(Reason reason) { return kRows[static_cast<int>(reason)]; }

}  // namespace

std::string_view ReasonName(Reason reason) { return RowOf(reason).name; }
absl::StatusCode ReasonCode(Reason reason) { return RowOf(reason).code; }

absl::Status Refuse(Reason reason, std::string_view message, std::string_view field) {
  absl::Status status(ReasonCode(reason), std::string(message));
  status.SetPayload(kReasonUrl, MakeCord(ReasonName(reason)));
  if (!field.empty()) status.SetPayload(kFieldUrl, MakeCord(field));
  return status;
}

std::optional<Reason> ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kReasonUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string name(*payload);
  for (const Row& row : kRows) {
    if (row.name == name) return row.reason;
  }
  return std::nullopt;
}

std::string FieldOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kFieldUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

}  // namespace muster::base
