// asyncio.gather: results in input order, or the first failure (semantics 43-51).
#pragma once

#include "service/core/futures/future.h"
#include "service/core/kinds/kind.h"

namespace muster::core {

extern const Kind kGatherKind;

// The members' outcomes in input order; one that is not done is null.
std::vector<OutcomeRef> ResultsOf(const Combinator& gather);

}  // namespace muster::core
