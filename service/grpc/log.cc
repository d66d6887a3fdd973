#include "service/grpc/log.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/version_info.h>

#include "service/base/log.h"

namespace muster::grpc_front {

#if GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR < 65

namespace {

void Take(gpr_log_func_args* entry) {
  // A client that speaks no TLS, or no HTTP/2, makes a line each: a flood is cut.
  static base::LogLimiter limiter(10, std::chrono::seconds(10));
  const base::LogLevel level = entry->severity == GPR_LOG_SEVERITY_ERROR  ? base::LogLevel::kWarning
                               : entry->severity == GPR_LOG_SEVERITY_INFO ? base::LogLevel::kInfo
                                                                          : base::LogLevel::kDebug;
  base::LogLimited(limiter, level, entry->message, {{"source", "grpc"}});
}

}  // namespace

void SendLogToOurs() { gpr_set_log_function(&Take); }

#else

void SendLogToOurs() {}

#endif

}  // namespace muster::grpc_front
