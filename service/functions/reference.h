// The reference page of the built-in functions, docs/reference/functions.md, made from what they say of themselves.
#pragma once

#include <string>

#include "service/jobs/registry.h"

namespace muster::functions {

// Every function of `registry` with kind, description and example.
std::string ReferenceMarkdown(const jobs::Registry& registry);

// The whole page: all built-in functions at the default limits, `test.program` too.
std::string ReferenceMarkdown();

}  // namespace muster::functions
