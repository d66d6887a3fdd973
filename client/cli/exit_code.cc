#include "client/cli/exit_code.h"

#include "muster/status.h"

namespace muster::cli {
namespace {

int Rank(ExitCode code) {
  switch (code) {
    case kOk:
      return 0;
    case kCancelled:
      return 1;
    case kJobFailed:
      return 2;
    default:
      return 3;
  }
}

}  // namespace

ExitCode CodeOf(const absl::Status& status) {
  switch (client::ReasonOf(status)) {
    case v1::ERROR_REASON_PAYLOAD_TOO_LARGE:
    case v1::ERROR_REASON_SET_TOO_LARGE:
    case v1::ERROR_REASON_NESTING_TOO_DEEP:
      return kRefused;
    default:
      break;
  }
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return kUsage;
    case absl::StatusCode::kCancelled:
      return kCancelled;
    case absl::StatusCode::kDeadlineExceeded:
      return kTimedOut;
    case absl::StatusCode::kNotFound:
      return kNotFound;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return kRefused;
    case absl::StatusCode::kUnavailable:
      return kUnavailable;
    default:
      return kInternal;
  }
}

ExitCode CodeOf(v1::FutureState state) {
  switch (state) {
    case v1::FUTURE_STATE_FAILED:
      return kJobFailed;
    case v1::FUTURE_STATE_CANCELLED:
      return kCancelled;
    case v1::FUTURE_STATE_EXPIRED:
      return kNotFound;
    default:
      return kOk;
  }
}

ExitCode Worse(ExitCode a, ExitCode b) { return Rank(b) > Rank(a) ? b : a; }

}  // namespace muster::cli
