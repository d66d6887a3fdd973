// Adds `http.request` to a registry.
#pragma once

#include "absl/status/status.h"

#include "service/functions/http/options.h"
#include "service/jobs/registry.h"

namespace muster::executor {
class Reactor;
}

namespace muster::functions {

// kInvalidArgument for an entry of allow_private that is no address. The reactor outlives every job.
absl::Status RegisterHttpRequest(jobs::Registry& registry, const HttpOptions& options, executor::Reactor& reactor);

}  // namespace muster::functions
