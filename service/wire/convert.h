// Messages to core values and back: the only place that does it, and where every field of a request is checked.
//
// What comes in is untrusted: each function refuses with the field's path, its value, the limit and what to do. What
// goes out fits: an outcome that would pass the message's byte budget, or nest deeper than parsers follow, is left out
// and the message says so.
//
// Threading: none of its own. Nothing here keeps a reference to its arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

#include "muster/v1/future_service.pb.h"
#include "service/base/clock.h"
#include "service/base/durability.h"
#include "service/base/reason.h"
#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/core/door/query.h"
#include "service/dispatch/directory.h"
#include "service/values/limits.h"

namespace muster::wire {

namespace pb = ::muster::v1;
using base::Durability;

// Where a field stands in its request; the text is made only for an error. A path refers to the one it extends, so each
// is a local of whoever extends it.
class Path {
 public:
  explicit Path(const char* name, int index = -1) : name_(name), index_(index) {}
  Path(const Path& parent, const char* name) : parent_(&parent), name_(name) {}
  Path(const Path& parent, const char* name, int index) : parent_(&parent), name_(name), index_(index) {}
  std::string Text() const;  // "futures[3].options.delay"

 private:
  const Path* parent_ = nullptr;
  const char* name_;
  int index_ = -1;
};

absl::Status RefuseField(base::Reason reason, const Path& field, std::string_view message);
// `what` came as bytes that protobuf can't parse as a message of this type.
absl::Status RefuseMalformed(std::string_view what, std::string_view type, size_t bytes);

// --- From the wire --------------------------------------------------------------------------------------------------

// INVALID_DURATION for what is malformed or outside [min, max]. What a microsecond cannot hold is rounded away from
// zero, so that a positive duration stays positive.
absl::StatusOr<base::Duration> ToDuration(const google::protobuf::Duration& given, base::Duration min,
                                          base::Duration max, const Path& field);
// INVALID_FIELD when it is longer than `max` bytes.
absl::Status CheckText(const std::string& text, size_t max, const Path& field);
absl::StatusOr<values::FutureId> ToId(const std::string& text, const Path& field);

enum class EmptySet { kRefused, kAllowed };
// EMPTY_SET, SET_TOO_LARGE, INVALID_ID.
absl::StatusOr<core::FutureSet> ToSet(pb::FutureSet& given, const values::Limits& limits, EmptySet empty,
                                      const Path& field);
absl::StatusOr<values::ReturnWhen> ToReturnWhen(int given);
// Whether the view asks for outcomes.
absl::StatusOr<bool> ToView(int given);

// Takes the body out of `given`.
absl::StatusOr<values::Payload> ToPayload(pb::Payload& given, const values::Limits& limits, const Path& field);
// For SetException. Takes the texts out of `given`.
absl::StatusOr<values::OutcomeRef> ToFailure(pb::Error& given, const values::Limits& limits, const Path& field);

// What Call and Run make is not kept as long as what Submit makes, unless the options say how long.
inline constexpr base::Duration kAttachedRetention = std::chrono::seconds(60);

// By whom and where something is submitted.
struct SubmitContext {
  SubmitContext(const values::Limits& l, const dispatch::Directory& f, Durability d, values::Namespace n)
      : limits(l), functions(f), durability(d), ns(n) {}
  const values::Limits& limits;
  const dispatch::Directory& functions;
  Durability durability;
  values::Namespace ns;
  // Call and Run: the submitter stays to hear the end. Only then cancel_on_disconnect means something.
  bool attached = false;
  base::Duration default_retention = std::chrono::hours(1);
  // Run with a session: what the request id is.
  std::string request_id;
};
struct Submission {
  core::Submit command;
  bool cancel_on_disconnect = false;
};
// `defaults` stand for options that the spec has none of; may be null. Takes payloads, texts and the request id out of
// `given`.
absl::StatusOr<Submission> ToSubmit(const SubmitContext& context, pb::FutureSpec& given,
                                    const pb::FutureOptions* defaults, const Path& field);
// Whether what the defaults say comes to nothing, so that a call without options of its own is a PlainCall;
// cancel_on_disconnect, which is no part of the command, aside, but for a session: there it is part of what is hashed.
bool AddNothing(const pb::FutureOptions& defaults, const std::string& session);
// What ToSubmit makes of a call then. In a session it has the context's request id.
core::Submit PlainCall(const SubmitContext& context, const dispatch::Function& function, values::Payload input);
// For CreatePromise.
absl::StatusOr<core::Submit> ToPromise(const SubmitContext& context, pb::FutureOptions& given, const Path& field);

// --- To the wire ----------------------------------------------------------------------------------------------------

// Bytes that may still go into a message, and how deep in it outcomes stand (the message itself is level 0).
struct Room {
  Room(uint64_t b, int level) : bytes(b), outcome_level(level) {}
  uint64_t bytes;
  const int outcome_level;
};

// Tags, lengths and the like of one completion without its outcome; ids have 28 characters.
inline constexpr uint64_t kCompletionBytes = 48;
// Tag and length of an outcome.
inline constexpr uint64_t kOutcomeFieldBytes = 6;

pb::FutureState FromState(values::State state);
pb::Durability FromDurability(Durability durability);
pb::FunctionKind FromFunctionKind(values::FunctionKind kind);
pb::CancelEffect FromCancelEffect(core::CancelEffect effect);
google::protobuf::Timestamp FromInstant(base::Instant instant);
google::protobuf::Duration FromDuration(base::Duration duration);

// False, and `out` is empty, when it holds JSON that nests too deep at this level.
bool FromPayload(const values::Payload& payload, int level, pb::Payload& out);
bool FromError(const values::Error& error, int level, pb::Error& out);
// False, and `out` is empty, when there is not enough room. Otherwise the room is less.
bool FromOutcome(const values::Outcome& outcome, Room& room, pb::Outcome& out);
// Everything but the outcome, which AddOutcome brings.
void FromCompletion(const core::Completion& completion, pb::Completion& out);
// Sets outcome_omitted when there is not enough room. A completion without an outcome stays so.
void AddOutcome(const core::Completion& completion, Room& room, pb::Completion& out);
// For completions one at a time: both, and what it takes from the room. Room for the completion itself is taken too.
void FromCompletionWithOutcome(const core::Completion& completion, Room& room, pb::Completion& out);

void FromProgress(const core::FutureView& view, pb::Progress& out);
// With its outcome if the view holds one and there is room.
void FromView(const core::FutureView& view, std::string_view name_space, const dispatch::Directory& functions,
              Durability durability, Room& room, pb::Future& out);
void FromLimits(const values::Limits& limits, pb::Limits& out);

}  // namespace muster::wire
