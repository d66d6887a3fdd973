// Leaving: a wait, stream, call or await that nobody wants to hear of any more.
#pragma once

#include "service/core/door/command.h"

namespace muster::core {

struct Turn;

void Apply(Turn& turn, const core::Detach& command);

}  // namespace muster::core
