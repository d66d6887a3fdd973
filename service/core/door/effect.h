// What a shard wants done, or says has happened. In the order in which it was decided; the runtime lets out what anyone
// could observe only when the batch is durable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/core/door/command.h"
#include "service/core/door/message.h"

namespace muster::core {

struct Completion {
  FutureId id;
  State state = State::kPending;
  OutcomeRef outcome;  // null when outcomes were not asked for, and for kExpired
  uint32_t attempt = 0;
  uint64_t completion_sequence = 0;  // of the shard; what resume tokens count in
};

enum class WaitEnd : uint8_t { kSatisfied, kTimedOut };
enum class CancelEffect : uint8_t { kCancelled, kRequested, kAlreadyDone, kNotFound };

// --- Jobs -----------------------------------------------------------------------------------------------------------

// Run this job, at once. `options` stays valid until the job has ended and is shared because a pool thread may read it.
struct StartJob {
  FutureId id;
  NamespaceId ns = 0;
  FunctionId function = 0;
  FunctionKind kind = FunctionKind::kAsync;
  uint32_t attempt = 1;
  Payload input;
  std::shared_ptr<const Options> options;     // null: all defaults
  base::Instant run_deadline = base::kNever;  // informative: the shard itself ends or cancels the job then
  bool at_most_once = false;                  // start only once this batch is durable
};
// The job ended before it was said to have started: forget it, never run its body (semantics 7).
struct WithdrawJob {
  FutureId id;
  uint32_t attempt = 1;
};
// Deliver a cancel to the body. For an async job or process the future ends when the body does. A blocking job's future
// has ended already (`abandoned`): set its token, discard what it returns, count its thread (semantics 93).
struct CancelJob {
  FutureId id;
  uint32_t attempt = 1;
  std::string message;
  uint32_t times = 1;  // how often it was asked at once: a gather cancels a duplicate as often as it stands there
  bool abandoned = false;
  // The cancel went to the future that the body awaits (semantics 12), or the body has been told of this one: its token
  // counts it, nothing is delivered.
  bool counted_only = false;
};
// Answer to Await.
struct AwaitEnded {
  Token token = kNoToken;
  FutureId job;
  absl::Status refusal;  // not OK: SELF_AWAIT, FUTURE_NOT_FOUND ...; then `completion` is empty
  Completion completion;
  bool met_cancel = false;  // the pending cancel has been spent; otherwise it is still pending
};

// --- Answers --------------------------------------------------------------------------------------------------------

struct Submitted {
  Token token = kNoToken;
  absl::Status refusal;
  FutureId id;  // of an existing future when deduplicated, of the inner for shield(done) (semantics 55)
  State state = State::kPending;
  bool deduplicated = false;
};
// To the token of a Submit with `attach`.
struct CallEnded {
  Token token = kNoToken;
  Completion completion;
};
struct PromiseSettled {
  Token token = kNoToken;
  absl::Status refusal;
  State state = State::kPending;
};
struct CancelAnswered {
  Token token = kNoToken;
  absl::Status refusal;                                    // of the whole: the shard is frozen
  std::vector<std::pair<FutureId, CancelEffect>> effects;  // for ids: in the order asked; for a group: its live members
};
struct Deleted {
  Token token = kNoToken;
  absl::Status refusal;                // of the whole: the shard is frozen
  std::vector<absl::Status> statuses;  // one an id, in the order asked; NOT_DONE for a live one
};
struct WaitEnded {
  Token token = kNoToken;
  absl::Status refusal;  // unknown ids: FUTURE_NOT_FOUND naming the first ten
  WaitEnd end = WaitEnd::kSatisfied;
  // In order of completion. Only members that are done: a poll (deadline passed) reports what there is.
  std::vector<Completion> done;
  std::vector<FutureId> pending;
  // FIRST_EXCEPTION: one of `done` failed (so a merge over shards need not look).
  bool saw_exception = false;
};
// First answer to AttachStream; `members` counts distinct futures (semantics 38).
struct StreamAttached {
  Token token = kNoToken;
  absl::Status refusal;
  uint64_t members = 0;
};
// Something can be taken: items, the end, or the timeout.
struct StreamReady {
  Token token = kNoToken;
};

// --- To other shards, and what happened -----------------------------------------------------------------------------

struct SendToShard {
  ShardIndex shard = 0;
  ShardMessage message;
};

// A future changed state: what metrics and logs are fed from.
struct Changed {
  FutureId id;
  NamespaceId ns = 0;
  FutureKind kind = FutureKind::kJob;
  FunctionId function = 0;  // jobs only
  State from = State::kPending;
  State to = State::kPending;
  bool created = false;                            // `from` means nothing
  bool restored = false;                           // beside `created`: it was made by an earlier run of the server
  ErrorKind error_kind = ErrorKind::kApplication;  // for kFailed
  base::Instant create_time, start_time;           // start_time: kNever when it never started
  uint32_t attempt = 0;                            // of a job: 1 from its start on, more after restarts of the server
  // A cancel had been asked for; when, for the cancel latency.
  base::Instant cancel_time = base::kNever;
  int64_t bytes_held = 0;                  // change of what the future counts for in its namespace's quota
  std::shared_ptr<const Options> options;  // null: all defaults
};
// A future was forgotten (retention, delete, delivery). `unretrieved`: it had failed and nobody ever asked
// (semantics 19).
struct Dropped {
  FutureId id;
  NamespaceId ns = 0;
  FutureKind kind = FutureKind::kJob;
  FunctionId function = 0;
  State state = State::kPending;
  bool unretrieved = false;
  OutcomeRef outcome;
  int64_t bytes_held = 0;  // negative or zero
};
// wait_for's grace ran out (semantics 56): the inner is still cancelling.
struct GraceExpired {
  FutureId id;
  FutureId inner;
};

using Effect =
    std::variant<StartJob, WithdrawJob, CancelJob, AwaitEnded, Submitted, CallEnded, PromiseSettled, CancelAnswered,
                 Deleted, WaitEnded, StreamAttached, StreamReady, SendToShard, Changed, Dropped, GraceExpired>;

// Reused between batches: clear() keeps the capacity.
using Effects = std::vector<Effect>;

}  // namespace muster::core
