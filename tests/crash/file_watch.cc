#include "tests/crash/file_watch.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "service/base/check.h"

namespace muster::crash {

absl::StatusOr<std::unique_ptr<FileWatch>> FileWatch::Open(const std::string& folder) {
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return absl::UnavailableError(fmt::format("inotify_init1: {}", strerror(errno)));
  std::unique_ptr<FileWatch> watch(new FileWatch(fd, folder));
  if (inotify_add_watch(fd, folder.c_str(), IN_MOVED_TO | IN_ONLYDIR) < 0) {
    return absl::UnavailableError(fmt::format("inotify_add_watch {}: {}", folder, strerror(errno)));
  }
  return watch;
}

FileWatch::~FileWatch() { close(fd_); }

uint64_t FileWatch::Count(const std::string& name) {
  base::MutexLock lock(mutex_);
  ReadLocked();
  const auto found = counts_.find(name);
  return found == counts_.end() ? 0 : found->second;
}

void FileWatch::Forget(const std::string& name) {
  base::MutexLock lock(mutex_);
  counts_.erase(name);
  unlink(fmt::format("{}/{}", folder_, name).c_str());
}

void FileWatch::ReadLocked() {
  alignas(inotify_event) char buffer[16 << 10];
  while (true) {
    const ssize_t count = read(fd_, buffer, sizeof buffer);
    if (count <= 0) return;
    for (ssize_t at = 0; at < count;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      MUSTER_CHECK((event->mask & IN_Q_OVERFLOW) == 0) << "the kernel lost events: counts would be too low";
      if (event->len != 0) ++counts_[event->name];
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
}

}  // namespace muster::crash
