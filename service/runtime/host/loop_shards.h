// The shards of one loop: of L loops, loop i has the shards i, i + L, i + 2L ...
//
// Threading: the loop's thread, but for the constructor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "service/core/shard.h"

namespace muster::runtime {

class LoopShards {
 public:
  // `each` says how many shards there are in all; its index means nothing.
  LoopShards(core::ShardOptions each, uint8_t loop, size_t loops) : loop_(loop), loops_(loops) {
    for (size_t shard = loop; shard < each.shards; shard += loops) {
      each.index = static_cast<values::ShardIndex>(shard);
      shards_.push_back(std::make_unique<core::Shard>(each));
    }
  }

  bool Has(values::ShardIndex shard) const { return shard % loops_ == loop_; }
  core::Shard& At(values::ShardIndex shard) const { return *shards_[shard / loops_]; }

  // Calls `visit(index, shard)` for each.
  template <typename F>
  void ForEach(F&& visit) const {
    for (size_t i = 0; i < shards_.size(); ++i) {
      visit(static_cast<values::ShardIndex>(loop_ + i * loops_), *shards_[i]);
    }
  }

  base::Instant NextDeadline() const {
    base::Instant earliest = base::kNever;
    for (const auto& shard : shards_) earliest = std::min(earliest, shard->NextDeadline());
    return earliest;
  }

 private:
  const uint8_t loop_;
  const size_t loops_;
  std::vector<std::unique_ptr<core::Shard>> shards_;
};

}  // namespace muster::runtime
