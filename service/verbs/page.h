// The pages that the lists have in common.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "fmt/format.h"

#include "service/base/reason.h"
#include "service/wire/convert.h"

namespace muster::verbs {

inline constexpr uint32_t kPageDefault = 100;
inline constexpr uint32_t kPageMax = 1000;

// How many go into a page; 0 asks for the default. INVALID_FIELD past the limit.
inline absl::StatusOr<uint32_t> PageSize(uint32_t asked) {
  if (asked <= kPageMax) return asked == 0 ? kPageDefault : asked;
  return wire::RefuseField(
      base::Reason::kInvalidField, wire::Path("page_size"),
      fmt::format("{} is over the limit; ask for at most {} and follow next_page_token", asked, kPageMax));
}

}  // namespace muster::verbs
