// Every bound of the service in one place, with its default. The wire's Limits message shows them; the configuration
// sets them.
#pragma once

#include <cstdint>

#include "service/base/clock.h"

namespace muster::values {

struct Limits {
  uint64_t message_bytes_max = 4u << 20;
  uint64_t payload_bytes_max = 1u << 20;
  uint32_t set_max = 100'000;
  uint32_t batch_max = 10'000;
  uint64_t pending_futures_max = 2'000'000;
  uint64_t namespace_bytes_max = 4ull << 30;
  uint32_t namespaces_max = 1'000;
  uint32_t waiters_max = 20'000;
  uint64_t wait_members_max = 10'000'000;
  uint32_t streams_max = 2'000;
  uint64_t request_ids_max = 5'000'000;
  uint32_t nesting_max = 16;
  base::Duration poll_max = std::chrono::minutes(5);
  uint32_t run_credits = 10'000;
  base::Duration retention_max = std::chrono::hours(24 * 30);
  base::Duration delay_max = std::chrono::hours(24 * 365);
  base::Duration request_id_ttl_max = std::chrono::hours(24);
  uint64_t stream_buffer_bytes_max = 8u << 20;  // unsent bytes of one stream past which the server stops reading it
};

}  // namespace muster::values
