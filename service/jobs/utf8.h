// UTF-8 as the wire wants it: text that is not valid must never get into a message, because its receiver could not read
// the whole of it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace muster::jobs {

// Valid by RFC 3629: no surrogates, no overlong forms, nothing past U+10FFFF.
bool IsUtf8(std::string_view text);

// How many bytes at the start of `text` are valid.
size_t Utf8Prefix(std::string_view text);

// `text`, with U+FFFD for each byte that is not part of a valid character.
std::string MakeUtf8(std::string_view text);
// The same, and no copy where nothing has to be mended, which is nearly always.
std::string MendUtf8(std::string text);

}  // namespace muster::jobs
