// gRPC's own complaints, as lines of our log.
#pragma once

namespace muster::app {

// Where the library lets its log be taken over (before 1.65, when it moved to Abseil's); elsewhere it does nothing.
void SendGrpcLogToOurs();

}  // namespace muster::app
