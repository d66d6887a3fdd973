// A shard that nothing changes any more: what can still be read, and how the rest is refused.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/status/status.h"

#include "service/core/door/command.h"
#include "service/core/futures/future.h"

namespace muster::core {

struct Turn;

class Frozen {
 public:
  void Freeze(uint64_t durable_batch, absl::Status refusal) {
    durable_batch_ = durable_batch;
    refusal_ = std::move(refusal);
  }
  bool on() const { return !refusal_.ok(); }
  const absl::Status& refusal() const { return refusal_; }
  uint64_t durable_batch() const { return durable_batch_; }
  // Whether a restart could take back how the future stands.
  bool Hides(const Future& future) const { return on() && (future.dirty || future.saved_in > durable_batch_); }

 private:
  uint64_t durable_batch_ = 0;
  absl::Status refusal_;
};

// Whether what is not there, or a list of what is, shows nothing that a restart could take back; the refusal if it
// might.
absl::Status CheckReadable(const Turn& turn);

// What each command comes to then.
void WhileFrozen(Turn& turn, const Submit& command);
void WhileFrozen(Turn& turn, const SettlePromise& command);
void WhileFrozen(Turn& turn, const Cancel& command);
void WhileFrozen(Turn& turn, const Delete& command);
void WhileFrozen(Turn& turn, const Await& command);
void WhileFrozen(Turn& turn, const AttachWait& command);
void WhileFrozen(Turn& turn, const AttachStream& command);
void WhileFrozen(Turn& turn, const Detach& command);
inline void WhileFrozen(Turn&, const JobStarted&) {}
inline void WhileFrozen(Turn&, const JobEnded&) {}
inline void WhileFrozen(Turn&, const JobProgress&) {}
inline void WhileFrozen(Turn&, const JobLost&) {}
inline void WhileFrozen(Turn&, const Uncancel&) {}

}  // namespace muster::core
