// An absl::Cord of a text.
//
// Not by Cord's own constructor from std::string: that is a template which the packaged Abseil exports under the name
// that g++ gives it, and clang 18 and later mangle its constraint differently, so that a clang build would not link.
#pragma once

#include <string_view>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace muster::base {

inline absl::Cord MakeCord(std::string_view text) { return absl::Cord(absl::string_view(text.data(), text.size())); }

}  // namespace muster::base
