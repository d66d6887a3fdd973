#include "client/cli/progress.h"

#include <array>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "client/cli/duration.h"

namespace muster::cli {
namespace {

constexpr std::array<const char*, 10> kSpinner = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
constexpr std::array<const char*, 4> kPlainSpinner = {"|", "/", "-", "\\"};
constexpr std::chrono::milliseconds kFrame(100);
// What is over in an eye's blink shows no line.
constexpr std::chrono::milliseconds kFirstFrame(200);

}  // namespace

Progress::Progress(const Terminal& terminal, bool enabled, std::string what)
    : terminal_(terminal), enabled_(enabled && terminal.tty), what_(std::move(what)), began_(clock_.Now()) {
  if (enabled_) thread_ = base::Thread("muster-progress", [this] { Loop(); });
}

Progress::~Progress() {
  if (!enabled_) return;
  {
    base::MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  thread_.Join();
  base::MutexLock lock(mutex_);
  EraseLocked();
}

void Progress::Set(std::size_t done, std::optional<std::size_t> total, std::string note) {
  base::MutexLock lock(mutex_);
  done_ = done;
  total_ = total;
  note_ = std::move(note);
}

void Progress::Hidden(const std::function<void()>& print) {
  if (!enabled_) return print();
  base::MutexLock lock(mutex_);
  EraseLocked();
  print();
}

void Progress::Loop() {
  base::MutexLock lock(mutex_);
  changed_.WaitFor(mutex_, kFirstFrame);
  while (!stop_) {
    DrawLocked();
    changed_.WaitFor(mutex_, kFrame);
  }
}

void Progress::DrawLocked() {
  ++frame_;
  const char* spinner =
      terminal_.unicode ? kSpinner[frame_ % kSpinner.size()] : kPlainSpinner[frame_ % kPlainSpinner.size()];
  std::string line = what_;
  if (total_) {
    line += fmt::format("  {}/{} done", done_, *total_);
  } else if (done_ > 0) {
    line += fmt::format("  {} done", done_);
  }
  line += "  " + FormatDuration(clock_.Now() - began_);
  if (!note_.empty()) line += "  " + Visible(note_);
  const std::size_t room = terminal_.width > 4 ? terminal_.width - 3 : 1;
  std::string text = "\r" + Paint(terminal_, Colour::kBlue, spinner) + " " + Cut(line, room) + "\x1b[K";
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::EraseLocked() {
  if (!std::exchange(drawn_, false)) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

}  // namespace muster::cli
