// What clients, handles and streams share: a connection, a namespace, and the blocking calls in progress.
//
// Threading: any thread.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "service/base/mutex.h"

namespace muster::client::detail {

class Connection;
class BlockingRun;

struct Core {
  Core(std::shared_ptr<Connection> shared_connection, std::string name)
      : connection(std::move(shared_connection)), name_space(std::move(name)) {}

  const std::shared_ptr<Connection> connection;
  const std::string name_space;  // never empty

  base::Mutex mutex;
  std::set<BlockingRun*> blocking MUSTER_GUARDED_BY(mutex);
  bool interrupted MUSTER_GUARDED_BY(mutex) = false;
};

}  // namespace muster::client::detail
