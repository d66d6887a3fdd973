#include "service/app/gauges.h"

#include <utility>

#include "service/app/settings/logging.h"
#include "service/base/options/value_text.h"

namespace muster::app {
namespace {

struct PerLoop {
  executor::Loop* loop;
  metrics::Gauge lag;
  metrics::Counter blocked;
};

void FillLoops(metrics::Metrics& metrics, std::vector<PerLoop>& loops) {
  double turns = 0;
  for (PerLoop& each : loops) {
    const executor::LoopStats stats = each.loop->stats();
    turns += static_cast<double>(stats.turns);
    each.blocked.Mirror(static_cast<double>(stats.blocked_turns));
    each.lag.Set(base::Seconds(each.loop->TakeLagMax()));
  }
  metrics.loop_turns.Mirror(turns);
}

void FillPool(metrics::Metrics& metrics, const executor::BlockingPoolStats& pool, uint64_t waiting) {
  metrics.pool_threads.Set(static_cast<double>(pool.threads));
  metrics.pool_busy.Set(static_cast<double>(pool.running));
  metrics.job_queue_age.Set(base::Seconds(pool.queue_age));
  metrics.pool_queue_length.Set(static_cast<double>(pool.queued + waiting));
  metrics.pool_abandoned.Set(static_cast<double>(pool.abandoned));
  metrics.pool_rejected.Mirror(static_cast<double>(pool.rejected));
}

void FillStore(metrics::Metrics& metrics, const StoreWatch& watch) {
  const store::JournalStats store = watch.stats();
  metrics.journal_log_bytes.Mirror(static_cast<double>(store.log_bytes));
  metrics.store_disk.Set(static_cast<double>(store.disk_bytes));
  metrics.store_free.Set(static_cast<double>(store.free_bytes));
  metrics.store_rows.Set(static_cast<double>(store.live_rows));
  metrics.store_stalls.Mirror(static_cast<double>(store.stalls));
  metrics.store_errors.Mirror(static_cast<double>(store.background_errors));
  metrics.store_full.Set(watch.full() ? 1 : 0);
}

double Shown(uint64_t limit) { return static_cast<double>(limit); }
double Shown(base::Duration limit) { return base::Seconds(limit); }

}  // namespace

std::unique_ptr<metrics::Registry::Collector> FillAtScrapes(metrics::Metrics& metrics, Scraped from) {
  std::vector<PerLoop> loops;
  for (executor::Loop* loop : from.loops) {
    loops.push_back({loop, metrics.LoopLag(loops.size()), metrics.LoopBlocked(loops.size())});
  }
  return metrics.registry.OnScrape([&metrics, from = std::move(from), loops = std::move(loops)]() mutable {
    FillLoops(metrics, loops);
    const runtime::Service::Queued queued = from.service.QueuedJobs();
    FillPool(metrics, from.pool.stats(), queued.for_room);
    metrics.futures_unserved.Set(static_cast<double>(queued.unserved));
    const executor::ReactorStats reactor = from.reactor.stats();
    metrics.reactor_fds.Set(static_cast<double>(reactor.watched));
    metrics.reactor_events.Mirror(static_cast<double>(reactor.events));
    metrics.namespaces.Set(static_cast<double>(from.service.NamespaceCount()));
    metrics.namespace_bytes.Set(static_cast<double>(from.service.BytesHeld()));
    metrics.log_dropped.Mirror(static_cast<double>(LogDropped()));
    if (from.store != nullptr) FillStore(metrics, *from.store);
  });
}

void SetLimits(metrics::Metrics& metrics, const values::Limits& limits) {
#define MUSTER_SET_LIMIT(name, ...) metrics.SetLimit(#name, Shown(limits.name));
  MUSTER_LIMITS(MUSTER_SET_LIMIT)
#undef MUSTER_SET_LIMIT
}

}  // namespace muster::app
