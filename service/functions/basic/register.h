// Adds one function to a registry. Each is in the file of its name.
#pragma once

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/jobs/registry.h"

namespace muster::functions {

absl::Status RegisterEcho(jobs::Registry& registry);
absl::Status RegisterSleep(jobs::Registry& registry, base::Duration sleep_max);
absl::Status RegisterFail(jobs::Registry& registry);

}  // namespace muster::functions
