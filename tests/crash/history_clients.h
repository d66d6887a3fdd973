// Clients that fall upon the same few futures at once while the server is killed, and the checker that says whether
// what they saw together has an order.
//
// Threading: RunHistories blocks its thread and starts one for each client of a history. Lifetime: `run` outlives it.
#pragma once

#include <atomic>
#include <cstdint>

#include "tests/crash/client.h"

namespace muster::crash {

struct HistoryCounts {
  std::atomic<uint64_t> checked{0};     // relaxed counters
  std::atomic<uint64_t> with_death{0};  // of those: with a death of the server in their midst
  std::atomic<uint64_t> operations{0};
  std::atomic<uint64_t> lost{0};
  std::atomic<uint64_t> undecided{0};
};

// One history after another until the run is to finish. `group` makes its keys its own.
void RunHistories(Run& run, int group, uint64_t seed, HistoryCounts& counts);

}  // namespace muster::crash
