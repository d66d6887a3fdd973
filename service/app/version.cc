#include "service/app/version.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

namespace muster::app {

std::string Version() { return MUSTER_VERSION; }
std::string Revision() { return MUSTER_REVISION; }
std::string GrpcVersion() { return grpc::Version(); }
std::string VersionText() { return fmt::format("{} ({}), gRPC {}", Version(), Revision(), GrpcVersion()); }

}  // namespace muster::app
