// Calls: submits whose asker stays to hear the end. Most futures have at most one.
#pragma once

#include "service/core/door/command.h"
#include "service/core/futures/future.h"

namespace muster::core {

struct Turn;

// CallEnded follows, at once if the future is done.
void AttachCall(Turn& turn, Future& future, Token token);
// The asker hears no more. The token is not open any more.
void DetachCall(Turn& turn, Future& future, Token token);
// The future is done.
void TellCalls(Turn& turn, Future& future);

}  // namespace muster::core
