#include "service/base/failpoint.h"

#include <charconv>
#include <csignal>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "service/base/mutex.h"

namespace muster::base {
namespace detail {
std::atomic<bool> failpoints_armed{false};
}

namespace {

struct Armed {
  std::string name;
  bool kill = false;
  long left = 1;  // this many times to go, counting the one that acts
};

Mutex mutex;
std::vector<Armed> armed MUSTER_GUARDED_BY(mutex);

bool ParseOne(std::string_view text, Armed* out) {
  const size_t first = text.find(':');
  const size_t second = first == std::string_view::npos ? first : text.find(':', first + 1);
  if (second == std::string_view::npos || first == 0) return false;
  out->name = text.substr(0, first);
  const std::string_view action = text.substr(first + 1, second - first - 1);
  out->kill = action == "kill";
  if (!out->kill && action != "fail") return false;
  const std::string_view count = text.substr(second + 1);
  const auto parsed = std::from_chars(count.data(), count.data() + count.size(), out->left);
  return parsed.ec == std::errc() && parsed.ptr == count.data() + count.size() && out->left >= 1;
}

}  // namespace

absl::Status ArmFailpoints(std::string_view text) {
  std::vector<Armed> parsed;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    Armed entry;
    if (!ParseOne(one, &entry)) {
      return absl::InvalidArgumentError(
          fmt::format("failpoint \"{}\": write NAME:kill:COUNT or NAME:fail:COUNT, such as commit.sealed:kill:3", one));
    }
    parsed.push_back(std::move(entry));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  MutexLock lock(mutex);
  armed = std::move(parsed);
  detail::failpoints_armed.store(!armed.empty(), std::memory_order_relaxed);
  return absl::OkStatus();
}

bool detail::HitFailpoint(std::string_view name) {
  MutexLock lock(mutex);
  for (Armed& entry : armed) {
    if (entry.name != name) continue;
    if (entry.left > 1) {
      --entry.left;
      return false;
    }
    if (entry.kill) kill(getpid(), SIGKILL);
    return true;
  }
  return false;
}

}  // namespace muster::base
