#include "client/cli/terminal.h"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace muster::cli {
namespace {

const char* Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsUnicodeLocale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = Environment(name);
    if (value.empty()) continue;
    return value.find("UTF-8") != std::string_view::npos || value.find("utf8") != std::string_view::npos;
  }
  return false;
}

// One code point from the front of `text`; a byte that is no UTF-8 counts as itself.
char32_t TakeCodePoint(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 1;
  if (length > text.size()) {
    text.remove_prefix(1);
    return first;
  }
  char32_t point = length == 1 ? first : first & (0xff >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  text.remove_prefix(length);
  return point;
}

// The wide blocks of East Asian Width and the zero-width marks, coarsely.
std::size_t WidthOf(char32_t point) {
  if ((point >= 0x300 && point <= 0x36f) || (point >= 0x200b && point <= 0x200f) || point == 0xfe0f) return 0;
  const bool wide = (point >= 0x1100 && point <= 0x115f) || (point >= 0x2e80 && point <= 0xa4cf) ||
                    (point >= 0xac00 && point <= 0xd7a3) || (point >= 0xf900 && point <= 0xfaff) ||
                    (point >= 0xfe30 && point <= 0xfe6f) || (point >= 0xff00 && point <= 0xff60) ||
                    (point >= 0x1f300 && point <= 0x1faff) || (point >= 0x20000 && point <= 0x3fffd);
  return wide ? 2 : 1;
}

}  // namespace

Terminal Terminal::Of(int fd) {
  Terminal terminal;
  terminal.tty = isatty(fd) == 1;
  if (!terminal.tty) return terminal;
  terminal.unicode = IsUnicodeLocale();
  terminal.colour = std::strlen(Environment("NO_COLOR")) == 0 && std::string_view(Environment("TERM")) != "dumb";
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.width = size.ws_col;
  const std::string_view columns = Environment("COLUMNS");
  if (terminal.width == 0) std::from_chars(columns.data(), columns.data() + columns.size(), terminal.width);
  if (terminal.width == 0) terminal.width = 80;
  return terminal;
}

std::string Paint(const Terminal& terminal, Colour colour, std::string_view text) {
  if (!terminal.colour || colour == Colour::kNone) return std::string(text);
  constexpr const char* kCodes[] = {"0", "31", "32", "33", "34", "2", "1"};
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<int>(colour)], text);
}

std::size_t DisplayWidth(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) width += WidthOf(TakeCodePoint(text));
  return width;
}

std::string Cut(std::string_view text, std::size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::string_view rest = text;
  std::size_t used = 0;
  std::size_t bytes = 0;
  while (!rest.empty()) {
    used += WidthOf(TakeCodePoint(rest));
    if (used > width - 1) break;
    bytes = text.size() - rest.size();
  }
  return std::string(text.substr(0, bytes)) + "…";
}

std::string Visible(std::string_view text, bool lines) {
  std::string visible;
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t point = TakeCodePoint(text);
    const std::string_view bytes = before.substr(0, before.size() - text.size());
    const bool control = point < 0x20 || point == 0x7f || (point >= 0x80 && point < 0xa0);
    if (!control || (lines && (point == '\n' || point == '\t'))) {
      visible += bytes;
    } else if (point == '\n') {
      visible += "\\n";
    } else if (point == '\t') {
      visible += "\\t";
    } else {
      visible += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(point));
    }
  }
  return visible;
}

}  // namespace muster::cli
