// A set of futures by the shard that holds each.
#pragma once

#include <map>
#include <vector>

#include "service/runtime/host/router.h"
#include "service/values/id.h"

namespace muster::runtime {

// Each list in the order given.
using ByShard = std::map<values::ShardIndex, std::vector<values::FutureId>>;

inline ByShard SplitByShard(const Router& router, const std::vector<values::FutureId>& ids) {
  ByShard split;
  auto last = split.end();  // neighbours are often of one shard
  for (const values::FutureId& id : ids) {
    const values::ShardIndex shard = router.ShardOf(id);
    if (last == split.end() || last->first != shard) last = split.try_emplace(shard).first;
    last->second.push_back(id);
  }
  return split;
}

}  // namespace muster::runtime
