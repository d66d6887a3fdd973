// Who waits for whom in a shard.
#pragma once

#include "service/core/interest/links.h"
#include "service/core/interest/open.h"
#include "service/core/interest/remote.h"

namespace muster::core {

struct Interest {
  Links links;
  OpenTable open;
  RemoteLinks remotes;
};

}  // namespace muster::core
