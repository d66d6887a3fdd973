// What must never be, over a whole shard. For tests and the simulation.
#pragma once

namespace muster::core {

struct Turn;

void CheckInvariants(const Turn& turn);

}  // namespace muster::core
