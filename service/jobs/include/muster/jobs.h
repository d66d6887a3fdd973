// What a function is written with: its context, its errors, its payloads as JSON, and the registry that it is added to.
#pragma once

#include "service/jobs/context.h"   // IWYU pragma: export
#include "service/jobs/error.h"     // IWYU pragma: export
#include "service/jobs/json.h"      // IWYU pragma: export
#include "service/jobs/registry.h"  // IWYU pragma: export
