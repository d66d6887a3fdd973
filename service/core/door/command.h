// What can be asked of a shard. Plain values: the runtime builds them, a test or a simulation does too.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/core/door/values.h"

namespace muster::core {

// The asker's own handle for the answer; the core gives it back and compares it, no more. Unique among what is open.
using Token = uint64_t;
inline constexpr Token kNoToken = 0;

struct Submit {
  Token token = kNoToken;
  NamespaceId ns = 0;
  uint16_t ns_tag = 0;
  FutureSpec spec;
  std::shared_ptr<Options> options;  // null: all defaults. By MakeOptions, as they are kept
  uint64_t spec_hash = 0;            // compared when a request id comes again
  base::Duration retention = kRetentionDefault;
  // Call: besides Submitted, `CallEnded` with this token follows once the future is done.
  bool attach = false;
  // Call without a request id: dropped as soon as it has been delivered to the attached token.
  bool drop_when_delivered = false;
  // There is no room for a new future; one whose request id is known is answered all the same (semantics 102). Moved
  // into the answer, which another loop may free.
  absl::Status no_room;
};

// A client settles a promise (semantics 2, 13). With a request id a repetition of the same settle is OK.
struct SettlePromise {
  Token token = kNoToken;
  NamespaceId ns = 0;
  FutureId id;
  OutcomeRef outcome;
  std::string request_id;
};

// From the dispatcher. `attempt` is the one StartJob gave; anything else is a late word of an earlier run and ignored.
struct JobStarted {
  FutureId id;
  uint32_t attempt = 1;
};
struct JobEnded {
  FutureId id;
  uint32_t attempt = 1;
  OutcomeRef outcome;     // kValue, kError or kCancelled (the body raised cancelled)
  base::Instant started;  // for a job that started and ended within one turn, where no JobStarted was sent
};
struct JobProgress {
  FutureId id;
  uint32_t attempt = 1;
  double fraction = 0;
  std::string message;
};

// Whoever ran it is gone and will not say what came of it (semantics 104). The job runs again with its attempt raised;
// one that may run once only, or had been asked to end, ends instead.
struct JobLost {
  FutureId id;
  uint32_t attempt = 1;
};

// Ids or a group; exactly one of them.
struct FutureSet {
  std::vector<FutureId> ids;
  std::string group;
};

struct Cancel {
  Token token = kNoToken;
  NamespaceId ns = 0;
  FutureSet set;
  std::string message;
};

// Forgets done futures before their time.
struct Delete {
  Token token = kNoToken;
  NamespaceId ns = 0;
  std::vector<FutureId> ids;
};

// A running body takes one of its own cancels back (semantics 9, 10).
struct Uncancel {
  FutureId id;
  uint32_t attempt = 1;
};

// A running body awaits a future: cancelling the job while it does cancels that future (semantics 12). Answered by
// AwaitEnded, always: with a refusal when the target is unknown or the job itself (semantics 15).
struct Await {
  Token token = kNoToken;
  NamespaceId ns = 0;
  FutureId job;
  uint32_t attempt = 1;
  FutureId target;
  // The message of a cancel that the body has not met yet. It goes to the target, unless that is done already: an await
  // of what is done does not suspend, and delivers no cancel.
  std::optional<std::string> pending_cancel;
};

// The members of one wait that live in this shard. A wait over several shards is one of these on each plus a merge.
struct AttachWait {
  Token token = kNoToken;
  NamespaceId ns = 0;
  FutureSet set;
  ReturnWhen return_when = ReturnWhen::kAllCompleted;
  base::Instant deadline = base::kNever;  // at or before now: a poll (semantics 28)
  bool take_outcomes = true;              // false: the answer carries states only, and nothing counts as retrieved
};

// as_completed over the members in this shard. StreamReady is sent whenever items became available to a reader that had
// found none; the reader takes them with Shard::TakeCompletions.
struct AttachStream {
  Token token = kNoToken;
  NamespaceId ns = 0;
  FutureSet set;
  base::Instant deadline = base::kNever;
  // Resuming: members that completed at or before this completion sequence were delivered before; an id that has
  // vanished since is reported as kExpired instead of refused.
  std::optional<uint64_t> resume_after;
};

// Ends a wait, stream or attached call early; no answer follows. Unknown tokens are ignored (it may just have ended).
struct Detach {
  Token token = kNoToken;
};

}  // namespace muster::core
