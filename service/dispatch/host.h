// What dispatch needs of whoever owns a loop's shards: to tell them what becomes of their jobs, and to carry out what a
// body asks of the service. The runtime implements it, one host a loop.
//
// Threading: the loop's thread, but for what says otherwise. Lifetime: outlives the dispatcher and every run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "service/base/clock.h"
#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/coro/cancel.h"
#include "service/coro/task.h"
#include "service/dispatch/durable_waiter.h"
#include "service/dispatch/report.h"
#include "service/executor/loop.h"

namespace muster::dispatch {

// A running body that awaits. A cancel of its job goes on to the future that it awaits.
struct Awaiting {
  values::FutureId job;
  uint32_t attempt = 1;
  values::NamespaceId ns = 0;
  coro::CancelToken* token = nullptr;
};

class Host {
 public:
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  executor::Loop& loop() const { return loop_; }
  // Of this run of the server (any thread).
  uint32_t epoch() const { return epoch_; }

  // The time, as of the start of the loop's turn or the end of the last body: what came in together came at one time,
  // and a clock that is read for each of a hundred items costs more than their futures. Never goes backwards.
  base::Instant TurnTime() { return now_ = std::max(now_, loop_.turn_time()); }
  // The clock, for what has taken its time.
  base::Instant ReadTime() { return now_ = loop_.Now(); }

  // A place's word on one of its runs. What follows from it may start, cancel and withdraw other jobs at once. This is
  // the one virtual call that every job costs.
  virtual void OnReport(Report&& report) = 0;

  // Whether anything survives the end of the process (any thread).
  virtual bool journaled() const = 0;
  // `waiter` stays alive until it has run.
  virtual void WhenDurable(DurableWaiter& waiter) = 0;
  // Any thread.
  virtual const std::string& NamespaceName(values::NamespaceId id) const = 0;

  // What a body asks for.
  virtual coro::Task<absl::StatusOr<values::FutureId>> Submit(core::Submit command) = 0;
  // Not OK only for what cannot be awaited.
  virtual coro::Task<absl::StatusOr<values::OutcomeRef>> Await(Awaiting awaiting, values::FutureId target) = 0;
  virtual coro::Task<absl::StatusOr<core::CancelEffect>> Cancel(values::NamespaceId ns, values::FutureId target,
                                                                std::string message) = 0;
  virtual void Uncancel(core::Uncancel&& command) = 0;

 protected:
  Host(executor::Loop& loop, uint32_t epoch) : loop_(loop), epoch_(epoch) {}
  ~Host() = default;

  executor::Loop& loop_;
  base::Instant now_{};

 private:
  const uint32_t epoch_;
};

}  // namespace muster::dispatch
