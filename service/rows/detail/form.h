// The form of values, as numbers that encoder and decoder share. They are on disks: a bit or a tag keeps its meaning
// for as long as its row version is read. A field is added as a new bit at the end, under a new kRowVersion.
//
// A mask says which of the optional fields follow, in the order of its bits; a field at its default is left out.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "service/values/limits.h"
#include "service/values/option_table.h"

namespace muster::rows::detail {

// As in values::FutureId. What exceeds it was not written by us.
inline constexpr int kSequenceBits = 48;
inline constexpr int kIncarnationBits = 30;
inline constexpr int kShardBits = 10;

// Causes under one error. A client may send 8, and each wait_for that timed out on a cancelled future puts one on top;
// what would go deeper is cut when it is written, so that no chain makes a row that can't be read.
inline constexpr int kCausesMax = 16;
// Gathers in gathers: no server can be configured to allow as many (limits.nesting_max).
inline constexpr int kGathersMax = 1024;
static_assert(values::kMostLimits.nesting_max < kGathersMax);

// A future's second byte: its kind below, its state above.
inline constexpr uint8_t kKindMask = 0xf;
inline constexpr int kStateShift = 4;

enum FutureBit : uint64_t {
  kStartTime = 1 << 0,
  kEndTime = 1 << 1,
  kDue = 1 << 2,
  kCompletion = 1 << 3,
  kOutcome = 1 << 4,
  kAttempt = 1 << 5,
  kRetention = 1 << 6,
  kRetrieved = 1 << 7,
  kFunctionId = 1 << 8,
  kRequests = 1 << 9,
  kOptions = 1 << 10,
  kFunctionKind = 1 << 11,
  kDropWhenDelivered = 1 << 12,
  kCancelling = 1 << 13,
  kCancelTime = 1 << 14,
  kCancelMessage = 1 << 15,
  kHidden = 1 << 16,
  kExpired = 1 << 17,
  kRunTimedOut = 1 << 18,
  kCancelMissed = 1 << 19,
  kSettleRequestId = 1 << 20,
  kRemoteCancels = 1 << 21,
  kCombinator = 1 << 22,
  kFutureBits = (1 << 23) - 1,
};

// The bits of options are those of their table (values/option_table.h), and one more: the request id is that of the
// future's first request, and is not written again.
struct OptionBits {
#define MUSTER_OPTION_BIT(name, kind, whom, most, bit, ...) uint64_t name = uint64_t{1} << (bit);
  MUSTER_JOB_OPTIONS(MUSTER_OPTION_BIT, MUSTER_NO_OPTION)
#undef MUSTER_OPTION_BIT
};
inline constexpr OptionBits kOptionBit;
inline constexpr uint64_t kFirstRequestId = 1 << 10;
inline constexpr uint64_t kOptionsBits = kFirstRequestId
#define MUSTER_OPTION_BIT(name, ...) | kOptionBit.name
    MUSTER_JOB_OPTIONS(MUSTER_OPTION_BIT, MUSTER_NO_OPTION);
#undef MUSTER_OPTION_BIT
static_assert(std::popcount(kOptionsBits) == 1
#define MUSTER_OPTION_BIT(...) +1
                  MUSTER_JOB_OPTIONS(MUSTER_OPTION_BIT, MUSTER_NO_OPTION),
              "two options have one bit");
#undef MUSTER_OPTION_BIT

enum RequestBit : uint64_t {
  kRequestNs = 1 << 0,
  kRequestFuture = 1 << 1,
  kSpecHash = 1 << 2,
  kWindow = 1 << 3,
  kExpireTime = 1 << 4,
  kElsewhereState = 1 << 5,
  kElsewhereOutcome = 1 << 6,
  kRequestBits = (1 << 7) - 1,
};

enum CombinatorBit : uint64_t {
  kReturnExceptions = 1 << 0,
  kDepth = 1 << 1,  // other than 1
  kTimeout = 1 << 2,
  kGrace = 1 << 3,
  kCancelRequested = 1 << 4,
  kCancelInDoubt = 1 << 5,
  kPolling = 1 << 6,
  kExpiring = 1 << 7,
  kMustCancel = 1 << 8,
  kCancelsPassed = 1 << 9,
  kCombinatorMessage = 1 << 10,
  kCancelsSent = 1 << 11,
  kCombinatorBits = (1 << 12) - 1,
};

// One byte: the encoding in the bits 1 to 3.
enum PayloadBit : uint64_t {
  kContent = 1 << 0,
  kContentType = 1 << 4,
  kMetadata = 1 << 5,
  kPayloadBits = (1 << 6) - 1,
};
inline constexpr int kEncodingShift = 1;
inline constexpr uint64_t kEncodingMask = 7;

// One byte: the kind in the bits 0 to 2.
enum ErrorBit : uint64_t {
  kType = 1 << 3,
  kMessage = 1 << 4,
  kDetails = 1 << 5,
  kCause = 1 << 6,
  kOrigin = 1 << 7,
};
inline constexpr uint64_t kErrorKindMask = 7;

// An outcome begins with its kind; within a gather a larger number names an outcome that stood before, so that parts
// which gathers of gathers share are written once and shared again once read.
inline constexpr uint64_t kFirstBackReference = 4;

// The fewest bytes that one element of a list takes: what a count may claim.
inline constexpr size_t kTextBytesMin = 1;
inline constexpr size_t kIdBytesMin = 6;
inline constexpr size_t kOutcomeBytesMin = 1;

}  // namespace muster::rows::detail
