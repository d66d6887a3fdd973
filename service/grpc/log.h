// gRPC's own complaints, as lines of our log.
#pragma once

namespace muster::grpc_front {

// Where the library lets its log be taken over (before 1.65, when it moved to Abseil's); elsewhere it does nothing.
void SendLogToOurs();

}  // namespace muster::grpc_front
