#include "service/runtime/host/hosts.h"

#include "service/base/check.h"
#include "service/runtime/host/shard_host.h"

namespace muster::runtime {

Hosts::Hosts(size_t loops, values::ShardIndex shards) : loops_(loops), shards_(shards) {
  MUSTER_CHECK(loops > 0 && loops <= shards) << loops << " loops";
}

Hosts::~Hosts() = default;

void Hosts::Add(std::unique_ptr<ShardHost> host) { hosts_.push_back(std::move(host)); }

}  // namespace muster::runtime
