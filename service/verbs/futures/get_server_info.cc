#include <algorithm>
#include <string>

#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"

namespace muster::verbs {

coro::Task<absl::Status> GetServerInfo(Rpc& rpc, pb::GetServerInfoRequest&, pb::GetServerInfoResponse& response) {
  const ServerEntry entry = Enter(rpc);
  const ServerInfo& info = rpc.shared.info;
  response.set_version(info.version);
  response.set_instance_id(info.instance_id);
  response.set_durability(wire::FromDurability(info.durability));
  wire::FromLimits(entry.limits, *response.mutable_limits());
  for (const std::string& feature : info.features) response.add_features(feature);
  *response.mutable_time() = wire::FromInstant(rpc.service.clock().Now());
  response.set_manual_clock(std::find(info.features.begin(), info.features.end(), "manual_clock") !=
                            info.features.end());
  co_return absl::OkStatus();
}

}  // namespace muster::verbs
