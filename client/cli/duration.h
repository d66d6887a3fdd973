// Durations as people write them: "250ms", "1.5s", "2m", "1h", "3d", "1h30m".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "service/base/clock.h"

namespace muster::cli {

// A number always has a unit, save 0. InvalidArgument says what is accepted. A leading '-' is allowed.
absl::StatusOr<base::Duration> ParseDuration(std::string_view text);

// For people, two units at most: "850 ms", "1.2 s", "3 m 20 s", "2 h 5 m", "4 d 1 h".
std::string FormatDuration(base::Duration duration);

}  // namespace muster::cli
