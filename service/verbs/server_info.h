// What a server says of itself.
#pragma once

#include <string>
#include <vector>

#include "service/base/durability.h"

namespace muster::verbs {

// What GetServerInfo tells besides the limits.
struct ServerInfo {
  std::string version = "0.0.0";
  std::string instance_id;  // new at each start
  base::Durability durability = base::Durability::kNone;
  std::vector<std::string> features;  // "tls", "manual_clock" ...
};

}  // namespace muster::verbs
