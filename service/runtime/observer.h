// What the runtime tells about itself; the application feeds metrics and logs from it. Every call comes on a loop's
// thread, from several loops at once when there are several, and must not block.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/base/reason.h"
#include "service/core/door/effect.h"

namespace muster::runtime {

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnChanged(const core::Changed& change, base::Instant now) = 0;
  virtual void OnDropped(const core::Dropped& drop) = 0;
  virtual void OnGraceExpired(const core::GraceExpired& expired) = 0;
  // +1 when a wait of that many members opens, -1 when it closes.
  virtual void OnWait(int open, int64_t members) = 0;
  virtual void OnStream(int open, int64_t members) = 0;
  virtual void OnRefused(base::Reason reason) = 0;
  // On the journal's thread: an append has been made durable.
  virtual void OnCommit(base::Duration took, uint64_t rows, uint64_t batches) {
    (void)took;
    (void)rows;
    (void)batches;
  }
  // On the journal's thread, once: it has failed for good.
  virtual void OnStoreFailed(const absl::Status& failure) { (void)failure; }
};

// Hears nothing; for tests.
class NullObserver final : public Observer {
 public:
  void OnChanged(const core::Changed&, base::Instant) override {}
  void OnDropped(const core::Dropped&) override {}
  void OnGraceExpired(const core::GraceExpired&) override {}
  void OnWait(int, int64_t) override {}
  void OnStream(int, int64_t) override {}
  void OnRefused(base::Reason) override {}
};

}  // namespace muster::runtime
