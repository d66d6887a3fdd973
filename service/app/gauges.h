// What is read when somebody asks for the metrics, and not counted as it happens: loops, pool, sockets, store, limits.
//
// Threading: made by main; the collector reads on the admin listener's thread.
#pragma once

#include <memory>
#include <vector>

#include "service/app/store_watch.h"
#include "service/executor/blocking_pool.h"
#include "service/executor/loop.h"
#include "service/executor/reactor.h"
#include "service/metrics/metrics.h"
#include "service/runtime/service.h"
#include "service/values/limits.h"

namespace muster::app {

struct Scraped {
  std::vector<executor::Loop*> loops;
  const executor::BlockingPool& pool;
  const executor::Reactor& reactor;
  const runtime::Service& service;
  const StoreWatch* store = nullptr;  // null: durability is none
};

// All of it outlives what is returned.
std::unique_ptr<metrics::Registry::Collector> FillAtScrapes(metrics::Metrics& metrics, Scraped from);

// The limits that a gauge beside them says how near they are.
void SetLimits(metrics::Metrics& metrics, const values::Limits& limits);

}  // namespace muster::app
