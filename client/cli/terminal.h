// What is known of the terminals behind stdout and stderr, and the text that may go there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace muster::cli {

struct Terminal {
  bool tty = false;
  bool colour = false;  // a TTY, no NO_COLOR, TERM not "dumb"
  bool unicode = false;
  std::size_t width = 0;  // 0: unknown, nothing is cut

  static Terminal Of(int fd);
};

enum class Colour { kNone, kRed, kGreen, kYellow, kBlue, kDim, kBold };
std::string Paint(const Terminal& terminal, Colour colour, std::string_view text);

// Columns that `text` takes; escape sequences must not be in it.
std::size_t DisplayWidth(std::string_view text);
// At most `width` columns, with an ellipsis when something was cut off.
std::string Cut(std::string_view text, std::size_t width);
// Control characters made visible, so that no payload steers the terminal. Line feeds and tabs stay if `lines`.
std::string Visible(std::string_view text, bool lines = false);

}  // namespace muster::cli
