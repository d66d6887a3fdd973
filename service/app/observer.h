// What the runtime tells about itself, as metrics and log lines.
//
// Threading: as runtime::Observer: called on the loops' threads. Lifetime: outlives the runtime::Service; all
// functions must be known when it is made, and both references outlive it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "service/dispatch/directory.h"
#include "service/metrics/metrics.h"
#include "service/runtime/observer.h"

namespace muster::app {

class MetricsObserver final : public runtime::Observer {
 public:
  MetricsObserver(metrics::Metrics& metrics, const dispatch::Directory& directory);
  // Called once, on the journal's thread. Before the service is made.
  void WhenStoreFails(std::function<void(const absl::Status& failure)> then) { store_failed_ = std::move(then); }

  void OnChanged(const core::Changed& change, base::Instant now) override;
  void OnDropped(const core::Dropped& drop) override;
  void OnGraceExpired(const core::GraceExpired& expired) override;
  void OnWait(int open, int64_t members) override;
  void OnStream(int open, int64_t members) override;
  void OnRefused(base::Reason reason) override;
  void OnCommit(base::Duration took, uint64_t rows, uint64_t batches) override;
  void OnStoreFailed(const absl::Status& failure) override;

  // Futures that are held, done ones included; and those that are not done.
  int64_t futures() const;
  int64_t pending() const;

 private:
  metrics::FunctionMetrics& Of(values::FutureKind kind, values::FunctionId function);
  void Ended(const core::Changed& change, base::Instant now);

  metrics::Metrics& metrics_;
  const dispatch::Directory& directory_;
  metrics::Gauge as_completed_;
  std::vector<metrics::FunctionMetrics> functions_;  // by values::FunctionId
  std::array<metrics::FunctionMetrics, 5> kinds_;    // by values::FutureKind; kJob is not used
  std::function<void(const absl::Status&)> store_failed_;
};

}  // namespace muster::app
