// What the configuration says about `http.request`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "service/base/clock.h"

namespace muster::functions {

struct HttpOptions {
  // Addresses and CIDR ranges ("127.0.0.1", "10.0.0.0/8", "fd00::/8") that may be called although they are not public.
  std::vector<std::string> allow_private;
  uint64_t body_bytes_max = 1 << 20;  // of a response; a request may ask for less
  uint64_t request_bytes_max = 1 << 20;
  base::Duration timeout_max = std::chrono::minutes(10);
  uint32_t redirects_max = 20;
  uint32_t transfers_max = 256;  // at a time, for each loop; the rest queues
  uint32_t transfers_per_host_max = 32;
  uint32_t queue_max = 10'000;  // for each loop; past it a request fails with Overloaded
  std::string ca_file;          // PEM; empty: the system's
};

}  // namespace muster::functions
