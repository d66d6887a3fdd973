// Adds `test.program` to a registry.
#pragma once

#include "absl/status/status.h"

#include "service/jobs/registry.h"

namespace muster::functions {

absl::Status RegisterTestProgram(jobs::Registry& registry);

}  // namespace muster::functions
