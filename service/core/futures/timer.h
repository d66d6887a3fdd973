// What a shard times: a future, a wait, a stream, a request id that is remembered. Each is a timer itself, so that the
// timer that is due leads to its owner without a pointer.
#pragma once

#include <cstdint>

#include "service/base/timer_queue.h"

namespace muster::core {

struct ShardTimer : base::Timer {
  enum class Of : uint8_t { kFuture, kWait, kStream, kRequest };
  explicit ShardTimer(Of o) : of(o) {}

  const Of of;
};

}  // namespace muster::core
