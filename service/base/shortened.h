// Text of a client's that goes into a message.
#pragma once

#include <string>
#include <string_view>

namespace muster::base {

// At most `max` bytes, cut between characters of UTF-8, with "..." where something is left out.
inline std::string Shortened(std::string_view text, size_t max) {
  if (text.size() <= max) return std::string(text);
  size_t end = max - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace muster::base
