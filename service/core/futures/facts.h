// What of a future is recorded as it is: a future and its record (record/record.h) both have these, so that nobody
// copies them one by one.
#pragma once

#include <cstdint>
#include <memory>

#include "service/base/clock.h"
#include "service/core/door/values.h"

namespace muster::core {

struct Facts {
  base::Instant create_time, start_time = base::kNever, end_time = base::kNever, cancel_time = base::kNever;
  base::Duration retention{0};
  uint64_t completion_sequence = 0;
  OutcomeRef outcome;
  std::shared_ptr<const Options> options;  // null: all defaults
  NamespaceId ns = 0;
  FunctionId function = 0;
  uint32_t cancelling = 0;
  uint32_t attempt = 0;
  State state = State::kPending;
  FutureKind kind = FutureKind::kJob;
  FunctionKind function_kind = FunctionKind::kAsync;
  bool hidden = false;     // deleted, and pinned still
  bool expired = false;    // goes with the last pin
  bool retrieved = false;  // somebody was given the outcome (semantics 19)
  bool drop_when_delivered = false;
  bool run_timed_out = false;
  bool cancel_missed = false;  // a gather whose cancel found all its members elsewhere done
};

// Cancels that another shard's combinator or job has sent to a future of this one, counted so that the same sum sent
// again adds nothing. Recorded as they are.
struct RemoteCancelRecord {
  FutureId subscriber;
  uint32_t index = 0;
  uint32_t seen = 0;
  uint32_t taken = 0;

  friend bool operator==(const RemoteCancelRecord&, const RemoteCancelRecord&) = default;
};

}  // namespace muster::core
