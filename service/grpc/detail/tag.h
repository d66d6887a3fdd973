// What stands behind the void* of a completion queue.
#pragma once

#include "service/verbs/operation.h"

namespace muster::grpc_front {

// Complete is called on the loop that owns the queue.
using Tag = verbs::OperationEnd;

}  // namespace muster::grpc_front
