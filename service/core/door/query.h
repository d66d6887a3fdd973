// What can be read of a shard, and how it answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

#include "service/base/clock.h"
#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/core/door/values.h"

namespace muster::core {

// A snapshot of one future for Get and List; `outcome` is null until done.
struct FutureView {
  FutureId id;
  FutureKind kind = FutureKind::kJob;
  FunctionId function = 0;
  State state = State::kPending;
  uint32_t cancelling = 0;
  uint32_t attempt = 0;
  std::shared_ptr<const Options> options;  // null: all defaults
  std::string name;                        // "Task-N" when none was given (semantics 14)
  double progress_fraction = 0;
  std::string progress_message;
  base::Instant progress_time = base::kNever;                    // kNever: no progress was reported
  base::Instant create_time, start_time, end_time, expire_time;  // kNever where it does not apply (yet)
  OutcomeRef outcome;
  std::vector<FutureId> members;  // gather: its members; shield, wait_for: the inner. Not in List: too many
};

// --- Queries ---------------------------------------------------------------------------------------------------------
//
// Each names its answer. They are values, as commands are, so that one can cross to another loop today and to another
// process tomorrow. A frozen shard refuses what a restart could take back.

// FUTURE_NOT_FOUND, FUTURE_EXPIRED, FUTURE_LOST. `take_outcome` counts as retrieving it (semantics 19).
struct GetFuture {
  using Answer = absl::StatusOr<FutureView>;
  NamespaceId ns = 0;
  FutureId id;
  bool take_outcome = false;
};

// The outcomes of futures that are done, at the places of their ids: what GetFuture's `take_outcome` does, for many. If
// one is not done, or without `also_failed` did not succeed, the answer is empty.
struct TakeOutcomes {
  using Answer = std::vector<OutcomeRef>;
  NamespaceId ns = 0;
  std::vector<FutureId> ids;
  bool also_failed = false;
};

struct FuturePage {
  std::vector<FutureView> futures;
  uint64_t next = 0;  // where the next page starts; 0 when there is none
};
// In creation order. A page may be short, even empty, and still have a next one: one call looks at a bounded number of
// futures.
struct ListFutures {
  using Answer = absl::StatusOr<FuturePage>;
  NamespaceId ns = 0;
  uint32_t state_mask = 0;  // bit (1 << State); 0: every state
  std::optional<FunctionId> function;
  std::string group;
  std::map<std::string, std::string> labels;  // all must match
  uint64_t after_sequence = 0;                // page token: list in creation order after this one
  size_t max = 100;
};

// The ids of a group, in creation order.
struct ListGroup {
  using Answer = absl::StatusOr<std::vector<FutureId>>;
  NamespaceId ns = 0;
  std::string group;
};

// Those of `ids` that run and have reported progress; at most `max`.
struct GetProgress {
  using Answer = std::vector<FutureView>;
  NamespaceId ns = 0;
  std::vector<FutureId> ids;
  size_t max = 0;
};

// At the end either `ended` or `timed_out` is set, never both, and the stream is forgotten.
struct StreamStatus {
  uint64_t remaining = 0;  // members not delivered yet
  bool ended = false;      // nothing more will come: all delivered, or
  bool timed_out = false;  // the deadline passed (what was done by then has been delivered first, semantics 40)
};

struct TakenCompletions {
  StreamStatus status;
  std::vector<Completion> completions;
};
// Up to `max` completions of a stream, in order of completion. An unknown token reports ended.
struct TakeCompletions {
  using Answer = TakenCompletions;
  Token token = kNoToken;
  size_t max = 0;
  bool take_outcomes = true;
};

// Sizes of what is held; all zero when nothing is left behind (semantics 36), which tests check.
struct ShardStats {
  uint64_t futures = 0;
  uint64_t pending = 0;  // not done
  uint64_t waits = 0, streams = 0, calls = 0;
  uint64_t links = 0;  // members of open waits, streams, combinators and awaits
  uint64_t pins = 0;
  uint64_t request_ids = 0;
  uint64_t groups = 0;
  uint64_t timers = 0;

  ShardStats& operator+=(const ShardStats& other) {
    futures += other.futures;
    pending += other.pending;
    waits += other.waits;
    streams += other.streams;
    calls += other.calls;
    links += other.links;
    pins += other.pins;
    request_ids += other.request_ids;
    groups += other.groups;
    timers += other.timers;
    return *this;
  }
};

struct GetStats {
  using Answer = ShardStats;
};

using Query = std::variant<GetFuture, TakeOutcomes, ListFutures, ListGroup, GetProgress, TakeCompletions, GetStats>;

}  // namespace muster::core
