// Every bound that an operator can set, in one list: its type, its default, what it may be set to and what it means.
// Made from the list are the struct, the options limits.* with their help and reference page, the wire's Limits
// message, the metric muster_limit and what `muster info` shows. A new limit is a row here and a field in
// future_service.proto.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "service/base/clock.h"

namespace muster::values {

inline constexpr uint64_t kKiB = 1ull << 10, kMiB = 1ull << 20, kGiB = 1ull << 30, kTiB = 1ull << 40;
inline constexpr std::chrono::hours kDay{24};

// X(name, kind, default, least, most, title, help, note)
//   kind     Bytes, Count (32 bits), LongCount (64 bits) or Span (a duration)
//   title    in `muster info`
//   note     what the default means, where its value alone does not say it
// clang-format off
#define MUSTER_LIMITS(X)                                                                                              \
  X(message_bytes_max, Bytes, 4 * kMiB, 64 * kKiB, kGiB, "message",                                                   \
    "Bytes of one gRPC message, either way.", "")                                                                     \
  X(payload_bytes_max, Bytes, kMiB, kKiB, kGiB, "payload",                                                            \
    "Bytes of one payload: body, content type and metadata.", "")                                                     \
  X(set_max, Count, 100'000, 1, 10'000'000, "ids in a set", "Ids in one set.", "")                                    \
  X(batch_max, Count, 10'000, 1, 1'000'000, "items in a batch", "Items in one SubmitBatch.", "")                      \
  X(pending_futures_max, LongCount, 2'000'000, 1, 1'000'000'000, "futures not done",                                  \
    "Futures that are not done, over all namespaces.", "")                                                            \
  X(namespace_bytes_max, Bytes, 4 * kGiB, kMiB, 64 * kTiB, "bytes of a namespace",                                    \
    "Bytes that one namespace may hold, retained outcomes included.",                                                 \
    "or half of the process' memory limit (cgroup), if that is less")                                                 \
  X(namespaces_max, Count, 1'000, 1, 1'000'000, "namespaces", "Namespaces.", "")                                      \
  X(waiters_max, Count, 20'000, 1, 10'000'000, "waits", "Open Wait, Gather and Call.", "")                            \
  X(wait_members_max, LongCount, 10'000'000, 1, 10'000'000'000, "members of waits",                                   \
    "Members of all open waits together.", "")                                                                        \
  X(streams_max, Count, 2'000, 1, 1'000'000, "streams", "Open AsCompleted and Run streams.", "")                      \
  X(request_ids_max, LongCount, 5'000'000, 1, 1'000'000'000, "request ids", "Request ids remembered.", "")            \
  X(nesting_max, Count, 16, 1, 1000, "nesting", "Gathers, shields and wait_fors on each other.", "")                  \
  X(poll_max, Span, std::chrono::minutes(5), std::chrono::seconds(1), std::chrono::hours(1), "longest poll",          \
    "Longest single poll of a Wait; then the client asks again.", "")                                                 \
  X(run_credits, Count, 10'000, 1, 1'000'000, "run credits", "Items that one Run stream may have in flight.", "")     \
  X(retention_max, Span, 30 * kDay, std::chrono::seconds(1), 3650 * kDay, "longest retention",                        \
    "Longest time that a done future is kept.", "")                                                                   \
  X(delay_max, Span, 365 * kDay, std::chrono::seconds(1), 3650 * kDay, "longest delay",                               \
    "Longest delay of a job.", "")                                                                                    \
  X(request_id_ttl_max, Span, kDay, std::chrono::seconds(1), 30 * kDay, "longest request id",                         \
    "Longest time that a request id is remembered after its future.", "")                                             \
  X(stream_buffer_bytes_max, Bytes, 8 * kMiB, 64 * kKiB, 4 * kGiB, "unsent of a stream",                              \
    "Unsent bytes of one stream past which the server stops reading it.", "")
// clang-format on

struct LimitTypes {
  using Bytes = uint64_t;
  using Count = uint32_t;
  using LongCount = uint64_t;
  using Span = base::Duration;
};

// What holds in a server.
struct Limits {
#define MUSTER_LIMIT(name, kind, preset, least, most, title, help, note) LimitTypes::kind name = preset;
  MUSTER_LIMITS(MUSTER_LIMIT)
#undef MUSTER_LIMIT
};

// The least and the most that each may be set to.
inline constexpr Limits kLeastLimits = {
#define MUSTER_LIMIT(name, kind, preset, least, most, title, help, note) .name = least,
    MUSTER_LIMITS(MUSTER_LIMIT)
#undef MUSTER_LIMIT
};
inline constexpr Limits kMostLimits = {
#define MUSTER_LIMIT(name, kind, preset, least, most, title, help, note) .name = most,
    MUSTER_LIMITS(MUSTER_LIMIT)
#undef MUSTER_LIMIT
};

}  // namespace muster::values
