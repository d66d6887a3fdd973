// wait_for behaves as a task that runs CPython's `asyncio.wait_for(inner, timeout)` of 3.12 and later: it awaits the
// inner within a timeout scope (semantics 56-62).
#pragma once

#include "service/core/kinds/kind.h"

namespace muster::core {

extern const Kind kWaitForKind;

}  // namespace muster::core
