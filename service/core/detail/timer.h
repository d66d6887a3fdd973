// A timer of a shard that knows whose it is.
#pragma once

#include <cstdint>

#include "service/base/timer_queue.h"

namespace muster::core {

struct ShardTimer : base::Timer {
  enum class Of : uint8_t { kFuture, kWait, kStream, kRequest };
  ShardTimer(Of of, void* owner) : of(of), owner(owner) {}

  const Of of;
  void* const owner;
};

}  // namespace muster::core
