// What a job's body is given: who it is, whether it has been cancelled, and what it may ask of the service.
//
// BlockingContext is safe from any thread; JobContext's own members belong to the body's coroutine on its loop.
// Lifetime: valid until the body has returned.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/base/clock.h"
#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/coro/cancel.h"
#include "service/coro/task.h"
#include "service/values/id.h"
#include "service/values/outcome.h"

namespace muster::jobs {

using Payload = values::Payload;
using Metadata = values::Words;

class BlockingContext {
 public:
  virtual ~BlockingContext() = default;

  // The future's id as clients know it. With `attempt` it makes side effects idempotent.
  virtual std::string id() const = 0;
  virtual std::string_view name_space() const = 0;
  // From 1; raised when the job runs again because the server died while it ran.
  virtual uint32_t attempt() const = 0;
  // Raised by every start of the server. Of two runs of one job, in doubt, the one with the larger epoch is the present
  // one: hand it, with the id, to whatever must not be done twice (a fencing token; semantics 103).
  virtual uint32_t epoch() const = 0;
  // The submitter's pairs, trace context ("traceparent") among them (semantics 94).
  virtual const Metadata& metadata() const = 0;
  // When the run timeout cancels this attempt; kNever without one.
  virtual base::Instant deadline() const = 0;
  virtual const base::Clock& clock() const = 0;
  // Somebody asked this job to stop. A blocking body looks here between steps of its work: its future has ended
  // already, and what it returns will be discarded (semantics 93).
  virtual bool cancelled() const = 0;
  // `fraction` from 0 to 1. Cheap to call often: only the latest report of a turn is kept.
  virtual void ReportProgress(double fraction, std::string message) = 0;
};

// A child to submit. Metadata of the parent goes along unless `options.metadata` says otherwise.
struct ChildCall {
  std::string function;
  Payload input;
  values::Options options;
  ChildCall() = default;
  ChildCall(std::string f, Payload p) : function(std::move(f)), input(std::move(p)) {}
};

class JobContext : public BlockingContext {
 public:
  // Pass it to whatever suspends. A cancel arrives there as absl::CancelledError, once, with the canceller's message; a
  // body that swallows it and returns a value ends SUCCEEDED (semantics 6).
  virtual coro::CancelToken& token() = 0;

  // absl::CancelledError when cancelled meanwhile.
  virtual coro::Task<absl::Status> Sleep(base::Duration delay) = 0;

  // Futures of this service, in the job's own namespace.
  virtual coro::Task<absl::StatusOr<values::FutureId>> Submit(ChildCall call) = 0;
  // GatherSpec, ShieldSpec, WaitForSpec and PromiseSpec.
  virtual coro::Task<absl::StatusOr<values::FutureId>> Combine(values::FutureSpec spec) = 0;
  // Awaits a future as `await` does: cancelling this job while it waits cancels that future (semantics 12), and what
  // comes of it is the answer. Not OK only for what cannot be awaited: unknown ids, or the job itself (semantics 15).
  virtual coro::Task<absl::StatusOr<values::OutcomeRef>> Await(values::FutureId target) = 0;
  virtual coro::Task<absl::StatusOr<core::CancelEffect>> Cancel(values::FutureId target, std::string message) = 0;
  // Takes one cancel of this job back; how many are left (semantics 9, 10).
  virtual int Uncancel() = 0;

  // Await, then the value; a failure or cancellation of the target comes back as the status to return or to handle.
  coro::Task<absl::StatusOr<Payload>> AwaitValue(values::FutureId target);
};

}  // namespace muster::jobs
