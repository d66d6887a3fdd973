#include "service/app/observer.h"

#include <cmath>
#include <string>

#include "service/app/settings/logging.h"
#include "service/base/log.h"
#include "service/base/options/value_text.h"

namespace muster::app {
namespace {

constexpr std::string_view kFunctionKinds[] = {"async", "blocking", "process", "remote"};
constexpr std::string_view kFutureKinds[] = {"job", "promise", "gather", "shield", "wait_for"};
constexpr std::string_view kStates[] = {"pending", "delayed", "queued", "running", "succeeded", "failed", "cancelled"};
constexpr std::string_view kErrorKinds[] = {"application",     "cancelled",   "timed_out",
                                            "queue_timed_out", "interrupted", "invalid_input"};

static_assert(static_cast<int>(values::State::kCancelled) == static_cast<int>(metrics::FutureState::kCancelled));
static_assert(static_cast<int>(values::State::kQueued) == static_cast<int>(metrics::FutureState::kQueued));
static_assert(static_cast<int>(values::FutureKind::kWaitFor) == 4);
static_assert(static_cast<int>(values::ErrorKind::kInvalidInput) == 5);

}  // namespace

MetricsObserver::MetricsObserver(metrics::Metrics& metrics, const dispatch::Directory& directory)
    : metrics_(metrics), directory_(directory), as_completed_(metrics.StreamsOpen("AsCompleted")) {
  const std::vector<const dispatch::Function*> known = directory.Known();
  functions_.resize(known.empty() ? 0 : known.back()->id + 1);
  // Those that are served first: there are labels for so many functions only.
  for (const bool served : {true, false}) {
    for (const dispatch::Function* each : known) {
      if (each->served() != served) continue;
      functions_[each->id] = metrics.Function(each->name, kFunctionKinds[static_cast<size_t>(each->kind)]);
    }
  }
  for (size_t kind = 1; kind < kinds_.size(); ++kind) kinds_[kind] = metrics.Combinator(kFutureKinds[kind]);
}

metrics::FunctionMetrics& MetricsObserver::Of(values::FutureKind kind, values::FunctionId function) {
  return kind == values::FutureKind::kJob ? functions_[function] : kinds_[static_cast<size_t>(kind)];
}

int64_t MetricsObserver::futures() const {
  double sum = 0;
  for (const metrics::Gauge& state : metrics_.futures) sum += state.Value();
  return std::llround(sum);
}

int64_t MetricsObserver::pending() const {
  double sum = 0;
  for (size_t state = 0; state < metrics_.futures.size(); ++state) {
    if (!values::IsDone(static_cast<values::State>(state))) sum += metrics_.futures[state].Value();
  }
  return std::llround(sum);
}

void MetricsObserver::OnChanged(const core::Changed& change, base::Instant now) {
  if (change.created) {
    if (!change.restored) Of(change.kind, change.function).Submitted();
  } else {
    metrics_.futures[static_cast<size_t>(change.from)].Sub();
  }
  metrics_.futures[static_cast<size_t>(change.to)].Add();
  if (change.from == values::State::kRunning && change.to == values::State::kQueued && !change.created) {
    Of(change.kind, change.function).Rerun();
  }
  // A job that starts again has waited before, and has run since.
  if (change.to == values::State::kRunning && !change.restored && change.attempt == 1) {
    const base::Duration delay = change.options != nullptr ? change.options->delay : base::Duration(0);
    metrics_.job_queue.Observe(now - change.create_time - delay);
  }
  if (values::IsDone(change.to) && !change.restored) Ended(change, now);
}

void MetricsObserver::OnCommit(base::Duration took, uint64_t rows, uint64_t batches) {
  metrics_.journal_commit.Observe(took);
  metrics_.journal_rows.Add(rows);
  metrics_.journal_batches.Add(batches);
}

void MetricsObserver::OnStoreFailed(const absl::Status& failure) {
  metrics_.store_failed.Set(1);
  if (store_failed_) store_failed_(failure);
}

void MetricsObserver::Ended(const core::Changed& change, base::Instant now) {
  metrics::FunctionMetrics& function = Of(change.kind, change.function);
  function.Done(static_cast<metrics::FutureState>(change.to));
  if (change.kind == values::FutureKind::kJob) {
    metrics_.submit_to_done.Observe(now - change.create_time);
    if (change.start_time != base::kNever) function.Ran(now - change.start_time);
  }
  if (change.cancel_time != base::kNever) metrics_.cancel_latency.Observe(now - change.cancel_time);
  const base::LogLevel level = change.to == values::State::kFailed ? base::LogLevel::kInfo : base::LogLevel::kDebug;
  if (!base::LogEnabled(level)) return;
  static base::LogLimiter failures(100, std::chrono::seconds(1));
  const std::string id = change.id.ToText();
  const std::string_view name = change.kind == values::FutureKind::kJob
                                    ? std::string_view(directory_.At(change.function).name)
                                    : kFutureKinds[static_cast<size_t>(change.kind)];
  const double seconds = base::Seconds(now - change.create_time);
  std::string_view trace;
  if (change.options != nullptr) {
    const auto found = change.options->metadata.find("traceparent");
    if (found != change.options->metadata.end()) trace = TraceIdOf(found->second);
  }
  const std::string_view state = kStates[static_cast<size_t>(change.to)];
  if (change.to == values::State::kFailed) {
    base::LogLimited(failures, level, "a future failed",
                     {{"future_id", id},
                      {"trace_id", trace},
                      {"function", name},
                      {"state", state},
                      {"kind", kErrorKinds[static_cast<size_t>(change.error_kind)]},
                      {"seconds", seconds}});
  } else {
    base::LogDebug(
        "a future ended",
        {{"future_id", id}, {"trace_id", trace}, {"function", name}, {"state", state}, {"seconds", seconds}});
  }
}

void MetricsObserver::OnDropped(const core::Dropped& drop) {
  metrics_.futures[static_cast<size_t>(drop.state)].Sub();
  if (!drop.unretrieved) return;
  metrics_.unretrieved_errors.Add();
  // semantics 19: reported once, here.
  static base::LogLimiter limiter(20, std::chrono::seconds(1));
  const std::string id = drop.id.ToText();
  const bool has_error = drop.outcome != nullptr && drop.outcome->error != nullptr;
  base::LogLimited(
      limiter, base::LogLevel::kWarning, "a future failed and nobody ever asked for its error",
      {{"future_id", id},
       {"function", drop.kind == values::FutureKind::kJob ? std::string_view(directory_.At(drop.function).name)
                                                          : kFutureKinds[static_cast<size_t>(drop.kind)]},
       {"error_type", has_error ? std::string_view(drop.outcome->error->type) : std::string_view()}});
}

void MetricsObserver::OnGraceExpired(const core::GraceExpired& expired) {
  metrics_.grace_expired.Add();
  static base::LogLimiter limiter;
  const std::string id = expired.id.ToText();
  const std::string inner = expired.inner.ToText();
  base::LogLimited(limiter, base::LogLevel::kWarning, "a wait_for gave up on a job that does not end after its cancel",
                   {{"future_id", id}, {"inner_id", inner}});
}

void MetricsObserver::OnWait(int open, int64_t members) {
  metrics_.waits_open.Add(open);
  metrics_.wait_members.Add(static_cast<double>(open) * static_cast<double>(members));
}

void MetricsObserver::OnStream(int open, int64_t members) {
  as_completed_.Add(open);
  metrics_.wait_members.Add(static_cast<double>(open) * static_cast<double>(members));
}

void MetricsObserver::OnRefused(base::Reason reason) {
  // A set that is too large is counted where the RPC ends: it may have been refused before the runtime saw it.
  if (reason != base::Reason::kSetTooLarge) metrics_.LimitHit(reason);
  // Refused before it reached the pool, which counts only what it refuses itself.
  if (reason == base::Reason::kQueueFull) metrics_.pool_rejected.Add();
}

}  // namespace muster::app
