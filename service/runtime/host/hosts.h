// Which loop has which shard, and the host of each loop.
//
// Threading: filled before the loops run, constant afterwards. Lifetime: outlives what runs on the loops.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "service/values/id.h"

namespace muster::runtime {

class ShardHost;

class Hosts {
 public:
  Hosts(size_t loops, values::ShardIndex shards);
  ~Hosts();
  Hosts(const Hosts&) = delete;
  Hosts& operator=(const Hosts&) = delete;

  // In the order of the loops.
  void Add(std::unique_ptr<ShardHost> host);

  size_t loops() const { return loops_; }
  values::ShardIndex shards() const { return shards_; }
  // The shard that an id names; an id of a shard that does not exist goes to one that will say so.
  values::ShardIndex ShardOf(const values::FutureId& id) const {
    return static_cast<values::ShardIndex>(id.shard % shards_);
  }
  size_t LoopOf(values::ShardIndex shard) const { return shard % loops_; }
  ShardHost& At(size_t loop) const { return *hosts_[loop]; }
  ShardHost& OwnerOf(values::ShardIndex shard) const { return *hosts_[LoopOf(shard)]; }

  auto begin() const { return hosts_.begin(); }
  auto end() const { return hosts_.end(); }

 private:
  const size_t loops_;
  const values::ShardIndex shards_;
  std::vector<std::unique_ptr<ShardHost>> hosts_;
};

}  // namespace muster::runtime
