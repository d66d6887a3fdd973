// Messages on an arena, under the name that the protobuf at hand has for it.
#pragma once

#include "google/protobuf/arena.h"

namespace muster::wire {

// Lives until the arena is reset or destroyed, which frees it with all that is in it. Protobuf has called this Create
// since 27; what older ones call Create makes a message that puts its parts elsewhere.
template <typename Message, typename Arena>
Message* MakeOn(Arena& arena) {
  if constexpr (requires { Arena::template CreateMessage<Message>(&arena); }) {
    return Arena::template CreateMessage<Message>(&arena);
  } else {
    return Arena::template Create<Message>(&arena);
  }
}

}  // namespace muster::wire
