// From the wire: durations, ids, sets, payloads, errors.
#include <utility>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/wire/convert.h"

namespace muster::wire {
namespace {

using base::Reason;

// What protobuf's own documentation allows: 10,000 years.
constexpr int64_t kSecondsMax = 315'576'000'000;
constexpr int32_t kNanosMax = 999'999'999;

}  // namespace

absl::Status RefuseMalformed(std::string_view what, std::string_view type, size_t bytes) {
  return base::Refuse(Reason::kInvalidField,
                      fmt::format("{} is no {}: its {} bytes cannot be parsed; send what a {} of this server's proto "
                                  "file is serialized to",
                                  what, type, bytes, type));
}

absl::StatusOr<base::Duration> ToDuration(const google::protobuf::Duration& given, base::Duration min,
                                          base::Duration max, const Path& field) {
  const int64_t seconds = given.seconds();
  const int32_t nanos = given.nanos();
  if (seconds < -kSecondsMax || seconds > kSecondsMax || nanos < -kNanosMax || nanos > kNanosMax ||
      (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) {
    return RefuseField(Reason::kInvalidDuration, field,
                       fmt::format("{} seconds and {} nanoseconds are no duration: seconds go from -{} to {}, "
                                   "nanoseconds from -{} to {}, and both have the same sign",
                                   seconds, nanos, kSecondsMax, kSecondsMax, kNanosMax, kNanosMax));
  }
  const int64_t micros = nanos / 1000 + (nanos % 1000 > 0 ? 1 : 0) - (nanos % 1000 < 0 ? 1 : 0);
  const base::Duration duration(seconds * 1'000'000 + micros);
  MUSTER_RETURN_IF_ERROR(values::CheckDuration(duration, min, max, field));
  return duration;
}

absl::StatusOr<values::FutureId> ToId(const std::string& text, const Path& field) {
  if (const auto id = values::FutureId::Parse(text)) return *id;
  return RefuseField(Reason::kInvalidId, field,
                     text.empty()
                         ? "is empty; give the id of a future"
                         : fmt::format("{} is no future's id; ids are made by the server", values::Quoted(text)));
}

absl::StatusOr<core::FutureSet> ToSet(pb::FutureSet& given, const values::Limits& limits, EmptySet empty,
                                      const Path& field) {
  const bool has_ids = given.ids_size() > 0;
  const bool has_group = !given.group().empty();
  if (has_ids && has_group) {
    return RefuseField(Reason::kEmptySet, field, "has both ids and a group; give one of them");
  }
  if (!has_ids && !has_group && empty == EmptySet::kRefused) {
    return RefuseField(Reason::kEmptySet, field, "names no futures; give ids or a group");
  }
  if (given.ids_size() > static_cast<int64_t>(limits.set_max)) {
    return RefuseField(
        Reason::kSetTooLarge, Path(field, "ids"),
        fmt::format("{} ids; at most {} go into one set, so split it", given.ids_size(), limits.set_max));
  }
  core::FutureSet set;
  MUSTER_RETURN_IF_ERROR(CheckText(given.group(), values::kGroupMax, Path(field, "group")));
  set.group = std::move(*given.mutable_group());
  set.ids.reserve(static_cast<size_t>(given.ids_size()));
  for (int index = 0; index < given.ids_size(); ++index) {
    MUSTER_ASSIGN_OR_RETURN(const values::FutureId id, ToId(given.ids(index), Path(field, "ids", index)));
    set.ids.push_back(id);
  }
  return set;
}

absl::StatusOr<values::ReturnWhen> ToReturnWhen(int given) {
  switch (given) {
    case pb::RETURN_WHEN_UNSPECIFIED:
    case pb::RETURN_WHEN_ALL_COMPLETED:
      return values::ReturnWhen::kAllCompleted;
    case pb::RETURN_WHEN_FIRST_COMPLETED:
      return values::ReturnWhen::kFirstCompleted;
    case pb::RETURN_WHEN_FIRST_EXCEPTION:
      return values::ReturnWhen::kFirstException;
    default:
      return RefuseField(Reason::kInvalidReturnWhen, Path("return_when"),
                         fmt::format("{} is not known; use ALL_COMPLETED, FIRST_COMPLETED or FIRST_EXCEPTION", given));
  }
}

absl::StatusOr<bool> ToView(int given) {
  switch (given) {
    case pb::OUTCOME_VIEW_UNSPECIFIED:
    case pb::OUTCOME_VIEW_FULL:
      return true;
    case pb::OUTCOME_VIEW_NONE:
      return false;
    default:
      return RefuseField(Reason::kInvalidField, Path("view"),
                         fmt::format("{} is not known; use OUTCOME_VIEW_FULL or OUTCOME_VIEW_NONE", given));
  }
}

absl::StatusOr<values::Payload> ToPayload(pb::Payload& given, const values::Limits& limits, const Path& field) {
  values::Payload::Content content;
  MUSTER_RETURN_IF_ERROR(CheckText(given.content_type(), values::kContentTypeMax, Path(field, "content_type")));
  content.content_type = given.content_type();
  content.metadata = values::Words(given.metadata().begin(), given.metadata().end());
  switch (given.body_case()) {
    case pb::Payload::kData:
      content.encoding = values::Encoding::kBytes;
      content.body = std::move(*given.mutable_data());
      break;
    case pb::Payload::kText:
      content.encoding = values::Encoding::kText;
      content.body = std::move(*given.mutable_text());
      break;
    case pb::Payload::kJson:
      content.encoding = values::Encoding::kJson;
      given.json().SerializeToString(&content.body);
      break;
    case pb::Payload::BODY_NOT_SET:
      if (content.content_type.empty() && content.metadata.empty()) return values::Payload();
      break;
  }
  values::Payload payload(std::move(content));
  if (payload.ByteSize() > limits.payload_bytes_max) {
    return RefuseField(Reason::kPayloadTooLarge, field,
                       fmt::format("{} bytes; a payload has at most {}, so put more elsewhere and send where it is",
                                   payload.ByteSize(), limits.payload_bytes_max));
  }
  return payload;
}

namespace {

absl::StatusOr<values::ErrorKind> ToErrorKind(int given, const Path& field) {
  switch (given) {
    case pb::ERROR_KIND_UNSPECIFIED:
    case pb::ERROR_KIND_APPLICATION:
      return values::ErrorKind::kApplication;
    case pb::ERROR_KIND_CANCELLED:
      return values::ErrorKind::kCancelled;
    case pb::ERROR_KIND_TIMED_OUT:
      return values::ErrorKind::kTimedOut;
    case pb::ERROR_KIND_QUEUE_TIMED_OUT:
      return values::ErrorKind::kQueueTimedOut;
    case pb::ERROR_KIND_INTERRUPTED:
      return values::ErrorKind::kInterrupted;
    case pb::ERROR_KIND_INVALID_INPUT:
      return values::ErrorKind::kInvalidInput;
    default:
      return RefuseField(Reason::kInvalidField, field, fmt::format("{} is no kind of error", given));
  }
}

absl::StatusOr<values::Error> ToError(pb::Error& given, const values::Limits& limits, int depth, const Path& field) {
  values::Error error;
  MUSTER_ASSIGN_OR_RETURN(error.kind, ToErrorKind(given.kind(), Path(field, "kind")));
  MUSTER_RETURN_IF_ERROR(CheckText(given.type(), values::kErrorTypeMax, Path(field, "type")));
  error.type = std::move(*given.mutable_type());
  error.message = std::move(*given.mutable_message());
  if (!given.origin_id().empty()) {
    MUSTER_ASSIGN_OR_RETURN(error.origin, ToId(given.origin_id(), Path(field, "origin_id")));
  }
  if (given.has_details()) {
    MUSTER_ASSIGN_OR_RETURN(error.details, ToPayload(*given.mutable_details(), limits, Path(field, "details")));
  }
  if (given.has_cause()) {
    const Path cause_field(field, "cause");
    if (depth == values::kCausesMax) {
      return RefuseField(Reason::kInvalidField, cause_field,
                         fmt::format("causes go {} deep at most", values::kCausesMax));
    }
    MUSTER_ASSIGN_OR_RETURN(values::Error cause, ToError(*given.mutable_cause(), limits, depth + 1, cause_field));
    error.cause = std::make_shared<const values::Error>(std::move(cause));
  }
  return error;
}

}  // namespace

absl::StatusOr<values::OutcomeRef> ToFailure(pb::Error& given, const values::Limits& limits, const Path& field) {
  MUSTER_ASSIGN_OR_RETURN(values::Error error, ToError(given, limits, 0, field));
  const size_t bytes = values::ByteSize(error);
  if (bytes > limits.payload_bytes_max) {
    return RefuseField(
        Reason::kPayloadTooLarge, field,
        fmt::format("{} bytes with its causes; an error has at most {}", bytes, limits.payload_bytes_max));
  }
  return values::Outcome::Failed(std::move(error));
}

}  // namespace muster::wire
