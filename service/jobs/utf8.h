// UTF-8 as the wire wants it: text that is not valid must never get into a message, because its receiver could not read
// the whole of it.
#pragma once

#include <string>
#include <string_view>

namespace muster::jobs {

// Valid by RFC 3629: no surrogates, no overlong forms, nothing past U+10FFFF.
bool IsUtf8(std::string_view text);

// `text`, with U+FFFD for each byte that is not part of a valid character.
std::string MakeUtf8(std::string_view text);

}  // namespace muster::jobs
