// Futures that a client settles (semantics 2, 13).
#pragma once

#include "service/core/door/command.h"
#include "service/core/kinds/kind.h"

namespace muster::core {

void SubmitPromise(Turn& turn, Submit& command);
void Apply(Turn& turn, core::SettlePromise& command);
extern const Kind kPromiseKind;

}  // namespace muster::core
