// The values that the core decides about. It speaks of nothing but them, so it names them without their prefix.
#pragma once

#include "service/values/bounds.h"
#include "service/values/future.h"
#include "service/values/id.h"
#include "service/values/options.h"
#include "service/values/outcome.h"
#include "service/values/spec.h"

namespace muster::core {

using namespace values;  // NOLINT(google-build-using-namespace): all of them, and those to come

}  // namespace muster::core
