// What of a shard must survive a crash, as plain values: what `Shard::TakeChanges` hands out and `Shard::Restore` takes
// back. How they become bytes is the codec's matter (service/rows).
//
// Waits, streams, attached calls and awaits are not here: those who had them open are gone with the process. Nor is
// what one shard knows of another's interest in its futures, save the cancels it was sent: the other shard asks again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/base/clock.h"
#include "service/core/door/values.h"
#include "service/core/futures/facts.h"

namespace muster::core {

// A request id and the future that it stands for (semantics 102).
struct RequestRecord {
  NamespaceId ns = 0;
  std::string request_id;
  FutureId id;
  uint64_t spec_hash = 0;
  base::Duration window{0};                  // how long it is remembered once the future is gone
  base::Instant expire_time = base::kNever;  // kNever: its future lives
  State elsewhere_state = State::kPending;   // done: a shield of this other shard's future, which ended so
  OutcomeRef elsewhere_outcome;

  friend bool operator==(const RequestRecord&, const RequestRecord&) = default;
};

struct MemberRecord {
  FutureId id;
  uint32_t times = 1;

  friend bool operator==(const MemberRecord&, const MemberRecord&) = default;
};

// Who is in a gather, shield or wait_for: fixed when it is made, and kept in a row of its own, since there may be many.
struct MembersRecord {
  std::vector<MemberRecord> members;
  std::vector<uint32_t> positions;  // of the input: which member; empty when it is the identity

  friend bool operator==(const MembersRecord&, const MembersRecord&) = default;
};

struct CombinatorRecord {
  bool return_exceptions = false;
  bool cancel_requested = false;
  bool cancel_in_doubt = false;
  bool polling = false;
  bool expiring = false;
  bool must_cancel = false;
  uint32_t depth = 1;
  uint32_t cancels_passed = 0;
  std::optional<base::Duration> timeout;
  base::Duration grace{0};
  std::string cancel_message;
  struct Sent {
    uint32_t member = 0;
    uint32_t times = 0;
    friend bool operator==(const Sent&, const Sent&) = default;
  };
  std::vector<Sent> cancels_sent;  // to members in other shards

  friend bool operator==(const CombinatorRecord&, const CombinatorRecord&) = default;
};

struct FutureRecord : Facts {
  FutureId id;
  base::Instant due = base::kNever;  // what its timer is set for, whatever that means in its state
  std::string cancel_message;        // of a running job that was asked to end
  std::string settle_request_id;     // of a promise
  std::vector<RequestRecord> requests;
  std::vector<RemoteCancelRecord> remote_cancels;
  std::optional<CombinatorRecord> combinator;  // gather, shield, wait_for
  // `outcome` is null until done, and for a gather that succeeded: its members' outcomes are its own, and are not kept
  // twice.
};

// Numbers that only grow. A shard goes on well above what is recorded here, so that what was handed out without being
// recorded is not handed out again.
struct MarksRecord {
  uint64_t last_sequence = 0;
  uint64_t last_completion = 0;

  friend bool operator==(const MarksRecord&, const MarksRecord&) = default;
};

// Takes the changes of one batch. What it is given is good during the call only.
class ChangeSink {
 public:
  virtual ~ChangeSink() = default;
  virtual void PutFuture(const FutureRecord& record) = 0;
  virtual void PutInput(const FutureId& id, const Payload& input) = 0;
  virtual void PutMembers(const FutureId& id, const MembersRecord& members) = 0;
  virtual void DeleteFuture(const FutureId& id) = 0;
  virtual void DeleteInput(const FutureId& id) = 0;
  virtual void DeleteMembers(const FutureId& id) = 0;
  // Of request ids whose future is gone, or lives elsewhere.
  virtual void PutRequest(const RequestRecord& record) = 0;
  virtual void DeleteRequest(NamespaceId ns, const std::string& request_id) = 0;
  virtual void PutMarks(const MarksRecord& marks) = 0;
};

}  // namespace muster::core
