// Every handle of the server, resolved once at start: `metrics.waits_open.Add()`.
//
// Threading: any thread. Lifetime: one object a process (or a test), which outlives everyone who counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "service/base/clock.h"
#include "service/base/reason.h"
#include "service/metrics/registry.h"

namespace muster::metrics {

// In the order of values::State.
enum class FutureState : std::uint8_t { kPending, kDelayed, kQueued, kRunning, kSucceeded, kFailed, kCancelled };
inline constexpr std::size_t kFutureStates = 7;

// What is counted of one RPC method. Copy it into the method's handler.
class RpcMetrics {
 public:
  RpcMetrics() = default;

  void Started() { started_.Add(); }
  void MsgReceived(std::uint64_t count = 1) { received_.Add(count); }
  void MsgSent(std::uint64_t count = 1) { sent_.Add(count); }
  // `code` is a gRPC status code; an unknown one counts as UNKNOWN.
  void Handled(int code, double seconds) {
    handled_[code >= 0 && code < static_cast<int>(kCodes) ? static_cast<std::size_t>(code) : 2].Add();
    seconds_.Observe(seconds);
  }
  void Handled(int code, base::Duration took) { Handled(code, static_cast<double>(took.count()) * 1e-6); }

 private:
  friend class Metrics;
  static constexpr std::size_t kCodes = 17;

  Counter started_, received_, sent_;
  std::array<Counter, kCodes> handled_;
  Histogram seconds_;
};

// What is counted of one registered function, or of what is no job.
class FunctionMetrics {
 public:
  FunctionMetrics() = default;

  void Submitted() { submitted_.Add(); }
  // `state` is a terminal one; others are ignored.
  void Done(FutureState state) {
    if (state >= FutureState::kSucceeded) done_[static_cast<std::size_t>(state) - 4].Add();
  }
  // It starts again after a restart of the server.
  void Rerun() { reruns_.Add(); }
  void Ran(base::Duration took) { run_.Observe(took); }

 private:
  friend class Metrics;
  Counter submitted_;
  std::array<Counter, 3> done_;
  Counter reruns_;
  Histogram run_;
};

enum class RpcType { kUnary, kServerStream, kBidiStream };

class Metrics {
 public:
  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Registry registry;

  // Index: FutureState (the order of values::State).
  std::array<Gauge, kFutureStates> futures;
  Histogram job_queue, submit_to_done, cancel_latency;
  Gauge waits_open, wait_members;
  Counter loop_turns;
  Gauge job_queue_age, futures_unserved, memory_limit;
  Gauge pool_threads, pool_busy, pool_queue_length, pool_queue_capacity, pool_abandoned;
  Histogram pool_queue_wait;
  Counter pool_rejected;
  Gauge reactor_fds;
  Counter reactor_events;
  Counter unretrieved_errors, grace_expired;
  Gauge namespaces, namespace_bytes;
  Counter log_dropped;
  Gauge ready;
  Histogram journal_commit;
  Counter journal_rows, journal_batches, journal_log_bytes;
  Gauge store_disk, store_disk_max, store_free, store_rows, store_full, store_failed;
  Counter store_stalls, store_errors;
  Gauge recovery_seconds, recovered_futures;

  // By reason, only those that are limits count (RESOURCE_EXHAUSTED, and what is too large or too deep).
  void LimitHit(base::Reason reason);

  // `service` is the full name, "muster.v1.FutureService".
  RpcMetrics Rpc(RpcType type, std::string_view service, std::string_view method);
  // For each registered function, once. `kind` is a word: async, blocking, process, remote.
  FunctionMetrics Function(std::string_view name, std::string_view kind);
  // For what is no job; `kind` is promise, gather, shield or wait_for.
  FunctionMetrics Combinator(std::string_view kind) { return Function("none", kind); }
  Gauge StreamsOpen(std::string_view rpc);
  // `name` as in the configuration, without "limits." before it.
  void SetLimit(std::string_view name, double value);
  Gauge LoopLag(std::size_t loop);
  Counter LoopBlocked(std::size_t loop);

  // Once, at start.
  void SetBuildInfo(std::string_view version, std::string_view revision, std::string_view grpc);
  void SetDurability(std::string_view mode);

 private:
  static constexpr std::size_t kFunctionsMax = 256;

  std::array<Counter, base::kReasonCount> limit_hits_;
  std::atomic<std::size_t> functions_{0};  // relaxed: only counts
};

// Shows memory, CPU, descriptors, threads and the start of this process; keep what it returns.
[[nodiscard]] std::unique_ptr<Registry::Collector> CollectProcess(Metrics& metrics);

}  // namespace muster::metrics
