// asyncio.shield: a future that ends as its inner does, and whose cancel leaves the inner alone (semantics 53-55).
#pragma once

#include "service/core/kinds/kind.h"

namespace muster::core {

extern const Kind kShieldKind;

}  // namespace muster::core
