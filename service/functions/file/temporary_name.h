// The names of files that file.write has not finished. file.list leaves them out; a crash may leave one behind, which
// can be deleted whenever no write is under way.
#pragma once

#include <string_view>

namespace muster::functions {

inline constexpr std::string_view kTemporaryPrefix = ".muster-";
inline constexpr std::string_view kTemporarySuffix = ".tmp";

inline bool IsTemporaryName(std::string_view name) {
  return name.size() == kTemporaryPrefix.size() + 16 + kTemporarySuffix.size() &&
         name.substr(0, kTemporaryPrefix.size()) == kTemporaryPrefix &&
         name.substr(name.size() - kTemporarySuffix.size()) == kTemporarySuffix;
}

}  // namespace muster::functions
