// The functions that come with the service.
//
// Threading: before the service starts. Lifetime: the registry's copies of the functions own what they share (the root
// directory, curl's handles); the reactor outlives every job, and the registry dies after the loops have stopped.
#pragma once

#include <string>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/functions/file_root.h"
#include "service/functions/http_options.h"
#include "service/jobs/registry.h"

namespace muster::executor {
class Reactor;
}

namespace muster::functions {

struct BuiltinOptions {
  // The longest `sleep`.
  base::Duration sleep_max = std::chrono::hours(24 * 365);
  // `file.*` and the "path" of `checksum` exist only with a root.
  FileOptions files;
  // `http.request` exists only with a reactor.
  HttpOptions http;
  executor::Reactor* reactor = nullptr;
  // For --clock=manual: `test.program`.
  bool test_program = false;
};

// kInvalidArgument or kFailedPrecondition, with what to change, for a root that cannot be used or an address in
// http.allow_private that is none; kAlreadyExists when a name is taken.
absl::Status RegisterBuiltins(jobs::Registry& registry, const BuiltinOptions& options);

}  // namespace muster::functions
