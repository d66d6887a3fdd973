// Every reason for which the service refuses something, in one list: the wire's ErrorReason, the gRPC status code that
// goes with it, and the reference page are all made from it.
//
// A refusal is an absl::Status made by `Refuse`; the reason, and where it applies the field at fault, travel in the
// status' payloads until api/status turns them into google.rpc details.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace muster::base {

// X(EnumName, WIRE_NAME, status code)
#define MUSTER_REASONS(X)                                                \
  X(kInvalidField, INVALID_FIELD, kInvalidArgument)                      \
  X(kInvalidId, INVALID_ID, kInvalidArgument)                            \
  X(kEmptySet, EMPTY_SET, kInvalidArgument)                              \
  X(kSetTooLarge, SET_TOO_LARGE, kInvalidArgument)                       \
  X(kInvalidReturnWhen, INVALID_RETURN_WHEN, kInvalidArgument)           \
  X(kInvalidDuration, INVALID_DURATION, kInvalidArgument)                \
  X(kInvalidResumeToken, INVALID_RESUME_TOKEN, kInvalidArgument)         \
  X(kInvalidPageToken, INVALID_PAGE_TOKEN, kInvalidArgument)             \
  X(kPayloadTooLarge, PAYLOAD_TOO_LARGE, kInvalidArgument)               \
  X(kNestingTooDeep, NESTING_TOO_DEEP, kInvalidArgument)                 \
  X(kSelfAwait, SELF_AWAIT, kInvalidArgument)                            \
  X(kUnknownFunction, UNKNOWN_FUNCTION, kNotFound)                       \
  X(kFutureNotFound, FUTURE_NOT_FOUND, kNotFound)                        \
  X(kFutureExpired, FUTURE_EXPIRED, kNotFound)                           \
  X(kFutureLost, FUTURE_LOST, kNotFound)                                 \
  X(kRequestIdReused, REQUEST_ID_REUSED, kAlreadyExists)                 \
  X(kNotAPromise, NOT_A_PROMISE, kFailedPrecondition)                    \
  X(kAlreadyDone, ALREADY_DONE, kFailedPrecondition)                     \
  X(kNotDone, NOT_DONE, kFailedPrecondition)                             \
  X(kDurabilityUnavailable, DURABILITY_UNAVAILABLE, kFailedPrecondition) \
  X(kNotAGather, NOT_A_GATHER, kFailedPrecondition)                      \
  X(kTooManyFutures, TOO_MANY_FUTURES, kResourceExhausted)               \
  X(kTooManyBytes, TOO_MANY_BYTES, kResourceExhausted)                   \
  X(kTooManyWaiters, TOO_MANY_WAITERS, kResourceExhausted)               \
  X(kTooManyStreams, TOO_MANY_STREAMS, kResourceExhausted)               \
  X(kTooManyNamespaces, TOO_MANY_NAMESPACES, kResourceExhausted)         \
  X(kTooManyRequestIds, TOO_MANY_REQUEST_IDS, kResourceExhausted)        \
  X(kQueueFull, QUEUE_FULL, kResourceExhausted)                          \
  X(kCreditsOverrun, CREDITS_OVERRUN, kResourceExhausted)                \
  X(kDraining, DRAINING, kUnavailable)                                   \
  X(kRecovering, RECOVERING, kUnavailable)                               \
  X(kStoreFailed, STORE_FAILED, kUnavailable)                            \
  X(kStoreFull, STORE_FULL, kResourceExhausted)                          \
  X(kInternal, INTERNAL, kInternal)

enum class Reason {
#define MUSTER_REASON_ENUM(name, wire, code) name,
  MUSTER_REASONS(MUSTER_REASON_ENUM)
#undef MUSTER_REASON_ENUM
};
// Reasons are 0 to kReasonCount - 1.
inline constexpr int kReasonCount = static_cast<int>(Reason::kInternal) + 1;

// "FUTURE_NOT_FOUND": what ErrorInfo.reason says, and the wire enum's name without its prefix.
std::string_view ReasonName(Reason reason);
absl::StatusCode ReasonCode(Reason reason);

// A refusal with its reason. `message` says what was wrong, with the value and the limit, and what to do; it reaches
// the client as it is, so it holds no internals. `field`, when given, is the request's field path
// ("future.options.delay").
absl::Status Refuse(Reason reason, std::string_view message, std::string_view field = {});

// What `Refuse` put in; nullopt for a status that did not come from it.
std::optional<Reason> ReasonOf(const absl::Status& status);
// Empty when no field was named.
std::string FieldOf(const absl::Status& status);

}  // namespace muster::base
