// To the wire.
#include <algorithm>
#include <utility>

#include "service/wire/convert.h"

namespace muster::wire {
namespace {

// Parsers refuse messages that nest deeper than this below the outermost one (C++, Java, Python, JavaScript alike).
constexpr int kNestingMax = 100;

// The deepest level of a JSON value that stands at `level`; stops looking past kNestingMax.
int Deepest(const google::protobuf::Value& value, int level) {
  int deepest = level;
  if (level > kNestingMax) return level;
  if (value.has_list_value()) {
    deepest = level + 1;
    for (const auto& item : value.list_value().values()) deepest = std::max(deepest, Deepest(item, level + 2));
  } else if (value.has_struct_value()) {
    deepest = level + 1;
    for (const auto& [key, item] : value.struct_value().fields()) deepest = std::max(deepest, Deepest(item, level + 3));
  }
  return deepest;
}

pb::ErrorKind FromErrorKind(values::ErrorKind kind) {
  switch (kind) {
    case values::ErrorKind::kApplication:
      return pb::ERROR_KIND_APPLICATION;
    case values::ErrorKind::kCancelled:
      return pb::ERROR_KIND_CANCELLED;
    case values::ErrorKind::kTimedOut:
      return pb::ERROR_KIND_TIMED_OUT;
    case values::ErrorKind::kQueueTimedOut:
      return pb::ERROR_KIND_QUEUE_TIMED_OUT;
    case values::ErrorKind::kInterrupted:
      return pb::ERROR_KIND_INTERRUPTED;
    case values::ErrorKind::kInvalidInput:
      return pb::ERROR_KIND_INVALID_INPUT;
  }
  return pb::ERROR_KIND_UNSPECIFIED;
}

// Fills `out`; false when something in it nests too deep.
bool Fill(const values::Outcome& outcome, int level, pb::Outcome& out) {
  if (level > kNestingMax) return false;
  switch (outcome.kind) {
    case values::Outcome::Kind::kValue:
      return FromPayload(outcome.value, level + 1, *out.mutable_value());
    case values::Outcome::Kind::kError:
      return FromError(*outcome.error, level + 1, *out.mutable_error());
    case values::Outcome::Kind::kCancelled:
      return FromError(*outcome.error, level + 1, *out.mutable_cancelled());
    case values::Outcome::Kind::kGathered: {
      pb::Outcomes& list = *out.mutable_gathered();
      list.mutable_outcomes()->Reserve(static_cast<int>(outcome.gathered.size()));
      for (const values::OutcomeRef& each : outcome.gathered) {
        if (!Fill(*each, level + 2, *list.add_outcomes())) return false;
      }
      return true;
    }
  }
  return true;
}

void SetTime(base::Instant instant, google::protobuf::Timestamp* (pb::Future::*field)(), pb::Future& out) {
  if (instant != base::kNever) *(out.*field)() = FromInstant(instant);
}

}  // namespace

pb::FutureState FromState(values::State state) {
  switch (state) {
    case values::State::kPending:
      return pb::FUTURE_STATE_PENDING;
    case values::State::kDelayed:
      return pb::FUTURE_STATE_DELAYED;
    case values::State::kQueued:
      return pb::FUTURE_STATE_QUEUED;
    case values::State::kRunning:
      return pb::FUTURE_STATE_RUNNING;
    case values::State::kSucceeded:
      return pb::FUTURE_STATE_SUCCEEDED;
    case values::State::kFailed:
      return pb::FUTURE_STATE_FAILED;
    case values::State::kCancelled:
      return pb::FUTURE_STATE_CANCELLED;
    case values::State::kExpired:
      return pb::FUTURE_STATE_EXPIRED;
  }
  return pb::FUTURE_STATE_UNSPECIFIED;
}

pb::Durability FromDurability(Durability durability) {
  switch (durability) {
    case Durability::kNone:
      return pb::DURABILITY_NONE;
    case Durability::kAsync:
      return pb::DURABILITY_ASYNC;
    case Durability::kSync:
      return pb::DURABILITY_SYNC;
  }
  return pb::DURABILITY_UNSPECIFIED;
}

pb::FunctionKind FromFunctionKind(values::FunctionKind kind) {
  switch (kind) {
    case values::FunctionKind::kAsync:
      return pb::FUNCTION_KIND_ASYNC;
    case values::FunctionKind::kBlocking:
      return pb::FUNCTION_KIND_BLOCKING;
    case values::FunctionKind::kProcess:
      return pb::FUNCTION_KIND_PROCESS;
    case values::FunctionKind::kRemote:
      return pb::FUNCTION_KIND_REMOTE;
  }
  return pb::FUNCTION_KIND_UNSPECIFIED;
}

pb::CancelEffect FromCancelEffect(core::CancelEffect effect) {
  switch (effect) {
    case core::CancelEffect::kCancelled:
      return pb::CANCEL_EFFECT_CANCELLED;
    case core::CancelEffect::kRequested:
      return pb::CANCEL_EFFECT_REQUESTED;
    case core::CancelEffect::kAlreadyDone:
      return pb::CANCEL_EFFECT_ALREADY_DONE;
    case core::CancelEffect::kNotFound:
      return pb::CANCEL_EFFECT_NOT_FOUND;
  }
  return pb::CANCEL_EFFECT_UNSPECIFIED;
}

google::protobuf::Timestamp FromInstant(base::Instant instant) {
  const int64_t micros = instant.time_since_epoch().count();
  int64_t seconds = micros / 1'000'000;
  int64_t rest = micros % 1'000'000;
  if (rest < 0) {
    rest += 1'000'000;
    --seconds;
  }
  google::protobuf::Timestamp out;
  out.set_seconds(seconds);
  out.set_nanos(static_cast<int32_t>(rest * 1000));
  return out;
}

google::protobuf::Duration FromDuration(base::Duration duration) {
  google::protobuf::Duration out;
  out.set_seconds(duration.count() / 1'000'000);
  out.set_nanos(static_cast<int32_t>(duration.count() % 1'000'000 * 1000));
  return out;
}

bool FromPayload(const values::Payload& payload, int level, pb::Payload& out) {
  if (payload.content == nullptr) return true;
  const values::Payload::Content& content = *payload.content;
  out.set_content_type(std::string(content.content_type));
  for (const auto& [key, value] : content.metadata) (*out.mutable_metadata())[key] = value;
  switch (content.encoding) {
    case values::Encoding::kNone:
      return true;
    case values::Encoding::kBytes:
      out.set_data(content.body);
      return true;
    case values::Encoding::kText:
      out.set_text(content.body);
      return true;
    case values::Encoding::kJson:
      break;
  }
  if (out.mutable_json()->ParseFromString(content.body) && Deepest(out.json(), level + 1) <= kNestingMax) return true;
  out.Clear();
  return false;
}

bool FromError(const values::Error& error, int level, pb::Error& out) {
  if (level > kNestingMax) return false;
  out.set_kind(FromErrorKind(error.kind));
  out.set_type(error.type);
  out.set_message(error.message);
  if (error.origin) out.set_origin_id(error.origin.ToText());
  if (error.details.content != nullptr && !FromPayload(error.details, level + 1, *out.mutable_details())) return false;
  return error.cause == nullptr || FromError(*error.cause, level + 1, *out.mutable_cause());
}

bool FromOutcome(const values::Outcome& outcome, Room& room, pb::Outcome& out) {
  // Before anything is built: a gather of gathers that share their parts may be larger than any memory.
  if (outcome.ByteSize() <= room.bytes && Fill(outcome, room.outcome_level, out)) {
    const uint64_t bytes = out.ByteSizeLong() + kOutcomeFieldBytes;
    if (bytes <= room.bytes) {
      room.bytes -= bytes;
      return true;
    }
  }
  out.Clear();
  return false;
}

void FromCompletion(const core::Completion& completion, pb::Completion& out) {
  std::string& id = *out.mutable_id();
  id.resize(values::FutureId::kTextBytes);
  completion.id.WriteText(id.data());
  out.set_state(FromState(completion.state));
  out.set_attempt(completion.attempt);
}

void AddOutcome(const core::Completion& completion, Room& room, pb::Completion& out) {
  if (completion.outcome == nullptr || FromOutcome(*completion.outcome, room, *out.mutable_outcome())) return;
  out.clear_outcome();
  out.set_outcome_omitted(true);
}

void FromCompletionWithOutcome(const core::Completion& completion, Room& room, pb::Completion& out) {
  FromCompletion(completion, out);
  room.bytes -= std::min(room.bytes, kCompletionBytes);
  AddOutcome(completion, room, out);
}

void FromProgress(const core::FutureView& view, pb::Progress& out) {
  out.set_fraction(view.progress_fraction);
  out.set_message(view.progress_message);
  *out.mutable_at() = FromInstant(view.progress_time);
}

void FromView(const core::FutureView& view, std::string_view name_space, const dispatch::Directory& functions,
              Durability durability, Room& room, pb::Future& out) {
  out.set_id(view.id.ToText());
  out.set_namespace_(std::string(name_space));
  if (view.kind == values::FutureKind::kJob) out.set_function(functions.At(view.function).name);
  out.set_name(view.name);
  if (view.options != nullptr) {
    for (const auto& [key, value] : view.options->labels) (*out.mutable_labels())[key] = value;
    out.set_group(std::string(view.options->group));
  }
  out.set_state(FromState(view.state));
  out.set_cancelling(view.cancelling);
  out.set_attempt(view.attempt);
  if (view.progress_time != base::kNever) FromProgress(view, *out.mutable_progress());
  out.set_durability(FromDurability(durability));
  SetTime(view.create_time, &pb::Future::mutable_create_time, out);
  SetTime(view.start_time, &pb::Future::mutable_start_time, out);
  SetTime(view.end_time, &pb::Future::mutable_end_time, out);
  SetTime(view.expire_time, &pb::Future::mutable_expire_time, out);
  out.mutable_member_ids()->Reserve(static_cast<int>(view.members.size()));
  for (const values::FutureId& member : view.members) out.add_member_ids(member.ToText());
  room.bytes -= std::min<uint64_t>(room.bytes, out.ByteSizeLong() + 16);
  if (view.outcome == nullptr) return;
  if (FromOutcome(*view.outcome, room, *out.mutable_outcome())) return;
  out.clear_outcome();
  out.set_outcome_omitted(true);
}

void FromLimits(const values::Limits& limits, pb::Limits& out) {
#define MUSTER_PUT_Bytes(name) out.set_##name(limits.name);
#define MUSTER_PUT_Count(name) out.set_##name(limits.name);
#define MUSTER_PUT_LongCount(name) out.set_##name(limits.name);
#define MUSTER_PUT_Span(name) *out.mutable_##name() = FromDuration(limits.name);
#define MUSTER_PUT_LIMIT(name, kind, ...) MUSTER_PUT_##kind(name)
  MUSTER_LIMITS(MUSTER_PUT_LIMIT)
#undef MUSTER_PUT_LIMIT
#undef MUSTER_PUT_Bytes
#undef MUSTER_PUT_Count
#undef MUSTER_PUT_LongCount
#undef MUSTER_PUT_Span
}

}  // namespace muster::wire
