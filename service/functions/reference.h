// The reference page of the built-in functions, docs/reference/functions.md, made from what they say of themselves.
#pragma once

#include <string>

#include "service/functions/family.h"

namespace muster::functions {

// The whole page: everything that `families` can add, at the values that their options have.
std::string ReferenceMarkdown(const Families& families);

}  // namespace muster::functions
