// How a future is to be treated, beside what it is.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "service/base/block_pool.h"
#include "service/base/clock.h"

namespace muster::values {

// What most futures leave at the defaults; kept apart from the future itself so that those cost nothing.
struct Options : base::Pooled {
  std::string name;  // empty: "Task-N"
  std::map<std::string, std::string> labels;
  std::string group;
  std::string request_id;
  base::Duration request_id_ttl{0};  // beyond the future's life; 0: the default window of ten minutes
  base::Duration delay{0};
  std::optional<base::Duration> queue_timeout;
  std::optional<base::Duration> run_timeout;
  std::map<std::string, std::string> metadata;
  bool at_most_once = false;
};

}  // namespace muster::values
