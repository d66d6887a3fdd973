// MUSTER_RETURN_IF_ERROR and its kin, for code that passes an absl::Status on.
#pragma once

#include "service/base/status.h"  // IWYU pragma: export
