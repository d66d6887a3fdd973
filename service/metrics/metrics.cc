#include "service/metrics/metrics.h"

#include <string>

namespace muster::metrics {
namespace {

constexpr std::string_view kStates[] = {"pending", "delayed", "queued", "running", "succeeded", "failed", "cancelled"};
static_assert(std::size(kStates) == kFutureStates);

// The names of gRPC's status codes as the ecosystem's dashboards spell them.
constexpr std::string_view kCodes[] = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

bool IsLimit(base::Reason reason) {
  switch (reason) {
    case base::Reason::kSetTooLarge:
    case base::Reason::kPayloadTooLarge:
    case base::Reason::kNestingTooDeep:
      return true;
    default:
      return base::ReasonCode(reason) == absl::StatusCode::kResourceExhausted;
  }
}

}  // namespace

Metrics::Metrics() {
  for (std::size_t i = 0; i < kFutureStates; ++i) futures[i] = registry.GetGauge(Id::kFutures, {kStates[i]});
  job_queue = registry.GetHistogram(Id::kJobQueue);
  job_queue_age = registry.GetGauge(Id::kJobQueueAge);
  futures_unserved = registry.GetGauge(Id::kFuturesUnserved);
  memory_limit = registry.GetGauge(Id::kMemoryLimit);
  submit_to_done = registry.GetHistogram(Id::kSubmitToDone);
  cancel_latency = registry.GetHistogram(Id::kCancelLatency);
  waits_open = registry.GetGauge(Id::kWaitsOpen);
  wait_members = registry.GetGauge(Id::kWaitMembers);
  loop_turns = registry.GetCounter(Id::kLoopTurns);
  pool_threads = registry.GetGauge(Id::kPoolThreads);
  pool_busy = registry.GetGauge(Id::kPoolBusy);
  pool_queue_length = registry.GetGauge(Id::kPoolQueueLength);
  pool_queue_capacity = registry.GetGauge(Id::kPoolQueueCapacity);
  pool_abandoned = registry.GetGauge(Id::kPoolAbandoned);
  pool_queue_wait = registry.GetHistogram(Id::kPoolQueueWait);
  pool_rejected = registry.GetCounter(Id::kPoolRejected);
  reactor_fds = registry.GetGauge(Id::kReactorFds);
  reactor_events = registry.GetCounter(Id::kReactorEvents);
  unretrieved_errors = registry.GetCounter(Id::kUnretrievedErrors);
  grace_expired = registry.GetCounter(Id::kGraceExpired);
  namespaces = registry.GetGauge(Id::kNamespaces);
  namespace_bytes = registry.GetGauge(Id::kNamespaceBytes);
  log_dropped = registry.GetCounter(Id::kLogDropped);
  ready = registry.GetGauge(Id::kReady);
  journal_commit = registry.GetHistogram(Id::kJournalCommit);
  journal_rows = registry.GetCounter(Id::kJournalRows);
  journal_batches = registry.GetCounter(Id::kJournalBatches);
  journal_log_bytes = registry.GetCounter(Id::kJournalLogBytes);
  store_disk = registry.GetGauge(Id::kStoreDisk);
  store_disk_max = registry.GetGauge(Id::kStoreDiskMax);
  store_free = registry.GetGauge(Id::kStoreFree);
  store_rows = registry.GetGauge(Id::kStoreRows);
  store_full = registry.GetGauge(Id::kStoreFull);
  store_failed = registry.GetGauge(Id::kStoreFailed);
  store_stalls = registry.GetCounter(Id::kStoreStalls);
  store_errors = registry.GetCounter(Id::kStoreErrors);
  recovery_seconds = registry.GetGauge(Id::kRecoverySeconds);
  recovered_futures = registry.GetGauge(Id::kRecoveredFutures);
  for (int i = 0; i < base::kReasonCount; ++i) {
    const base::Reason reason{i};
    if (IsLimit(reason)) limit_hits_[i] = registry.GetCounter(Id::kLimitHits, {base::ReasonName(reason)});
  }
}

void Metrics::LimitHit(base::Reason reason) { limit_hits_[static_cast<std::size_t>(reason)].Add(); }

RpcMetrics Metrics::Rpc(RpcType type, std::string_view service, std::string_view method) {
  static_assert(std::size(kCodes) == RpcMetrics::kCodes);
  constexpr std::string_view kTypes[] = {"unary", "server_stream", "bidi_stream"};
  const std::string_view kind = kTypes[static_cast<std::size_t>(type)];
  RpcMetrics rpc;
  rpc.started_ = registry.GetCounter(Id::kRpcStarted, {kind, service, method});
  rpc.received_ = registry.GetCounter(Id::kRpcMsgReceived, {kind, service, method});
  rpc.sent_ = registry.GetCounter(Id::kRpcMsgSent, {kind, service, method});
  rpc.seconds_ = registry.GetHistogram(Id::kRpcHandling, {kind, service, method});
  for (std::size_t code = 0; code < RpcMetrics::kCodes; ++code) {
    rpc.handled_[code] = registry.GetCounter(Id::kRpcHandled, {kind, service, method, kCodes[code]});
  }
  return rpc;
}

FunctionMetrics Metrics::Function(std::string_view name, std::string_view kind) {
  const bool job = name != "none";
  if (job && functions_.fetch_add(1, std::memory_order_relaxed) >= kFunctionsMax) name = "other";
  FunctionMetrics function;
  function.submitted_ = registry.GetCounter(Id::kFuturesSubmitted, {name, kind});
  for (std::size_t i = 0; i < function.done_.size(); ++i) {
    function.done_[i] = registry.GetCounter(Id::kFuturesDone, {name, kStates[4 + i]});
  }
  if (job) {
    function.run_ = registry.GetHistogram(Id::kJobRun, {name});
    function.reruns_ = registry.GetCounter(Id::kJobReruns, {name});
  }
  return function;
}

Gauge Metrics::StreamsOpen(std::string_view rpc) { return registry.GetGauge(Id::kStreamsOpen, {rpc}); }

void Metrics::SetLimit(std::string_view name, double value) { registry.GetGauge(Id::kLimit, {name}).Set(value); }

Gauge Metrics::LoopLag(std::size_t loop) { return registry.GetGauge(Id::kLoopLag, {std::to_string(loop)}); }

Counter Metrics::LoopBlocked(std::size_t loop) { return registry.GetCounter(Id::kLoopBlocked, {std::to_string(loop)}); }

void Metrics::SetBuildInfo(std::string_view version, std::string_view revision, std::string_view grpc) {
#if defined(__clang__)
  const std::string compiler = "clang " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__);
#else
  const std::string compiler = "g++ " + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__);
#endif
  registry.GetGauge(Id::kBuildInfo, {version, revision, grpc, compiler}).Set(1);
}

void Metrics::SetDurability(std::string_view mode) {
  for (const std::string_view known : {"none", "async", "sync"}) {
    registry.GetGauge(Id::kDurability, {known}).Set(known == mode ? 1 : 0);
  }
}

}  // namespace muster::metrics
