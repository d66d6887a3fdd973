// How a shard is made.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "service/base/clock.h"
#include "service/core/door/values.h"

namespace muster::core {

struct ShardOptions {
  ShardIndex index = 0;
  uint32_t incarnation = 1;
  uint32_t nesting_max = 16;                                        // combinators on combinators
  base::Duration undelivered_retention = std::chrono::seconds(60);  // a Call whose client left, or with a request id
  base::Duration request_id_window = std::chrono::minutes(10);      // after the future is gone
  size_t request_ids_max = 1'000'000;                               // remembered at once; past it TOO_MANY_REQUEST_IDS
  ShardIndex shards = 0;   // how many there are: an id of one beyond is not found; 0: not checked
  bool journaled = false;  // changes are gathered for TakeChanges, which somebody then calls
};

}  // namespace muster::core
