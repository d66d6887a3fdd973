#include "service/functions/file/root.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/functions/input.h"
#include "service/jobs/error.h"
#include "service/jobs/json.h"
#include "service/jobs/utf8.h"

namespace muster::functions {
namespace {

constexpr size_t kPathMax = 4096;
constexpr int kComponentsMax = 128;
// A rename anywhere in the system may make one resolution fail with EAGAIN.
constexpr int kOpenAttemptsMax = 32;

// -1 and errno, as open. There is no wrapper in the C library.
int OpenBeneath(int root, const std::string& path, uint64_t flags) {
  open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 1;; ++attempt) {
    const int64_t fd = syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    const bool again = fd < 0 && (errno == EINTR || errno == EAGAIN);
    if (!again || attempt == kOpenAttemptsMax) return static_cast<int>(fd);
  }
}

// The path in the form that is opened: no empty and no "." components, "." for none at all.
absl::StatusOr<std::string> Normalized(std::string_view path) {
  if (path.empty()) return jobs::InvalidInput("path: empty, must name something below the root");
  if (path.size() > kPathMax) {
    return jobs::InvalidInput(fmt::format("path: {} bytes, must be at most {}", path.size(), kPathMax));
  }
  if (path.find('\0') != std::string_view::npos) return jobs::InvalidInput("path: must not contain a NUL byte");
  if (!jobs::IsUtf8(path)) return jobs::InvalidInput("path: not valid UTF-8");
  if (path.front() == '/') return FileFailure("OutsideRoot", path, "is absolute; paths are relative to the root");
  std::string normalized;
  int components = 0;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view component = path.substr(at, end - at);
    at = end + 1;
    if (component.empty() || component == ".") continue;
    if (component == "..") return FileFailure("OutsideRoot", path, "contains \"..\"");
    if (++components > kComponentsMax) {
      return jobs::InvalidInput(fmt::format("path: more than {} components", kComponentsMax));
    }
    if (!normalized.empty()) normalized += '/';
    normalized += component;
  }
  return normalized.empty() ? std::string(".") : normalized;
}

absl::Status NoOpenat2(int error) {
  return absl::FailedPreconditionError(fmt::format(
      "file functions need the system call openat2, which this kernel (older than Linux 5.6) or the sandbox "
      "around this process does not allow ({}); leave the root unset to go without them",
      std::strerror(error)));
}

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(other.Release()) {}
Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  Descriptor old(std::exchange(fd_, other.Release()));
  return *this;
}
Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}
int Descriptor::Release() { return std::exchange(fd_, -1); }

absl::Status FileFailure(std::string_view type, std::string_view path, std::string_view message) {
  const std::string shown = Shown(std::string(path));
  return jobs::Failure(type, fmt::format("{}: {}", shown, message), jobs::JsonPayload({{"path", std::string(path)}}));
}

absl::Status FileFailure(int error, std::string_view path) {
  switch (error) {
    case ENOENT:
      return FileFailure("NotFound", path, "no such file or directory");
    case EXDEV:
      return FileFailure("OutsideRoot", path, "leads out of the root");
    case ELOOP:
      return FileFailure("TooManyLinks", path, "too many symbolic links, or one of the kernel's own");
    case EISDIR:
      return FileFailure("IsADirectory", path, "is a directory");
    case ENOTDIR:
      return FileFailure("NotADirectory", path, "is no directory, or goes through something that is none");
    case ENXIO:
    case ENODEV:
      return FileFailure("NotARegularFile", path, "is no regular file");
    case EEXIST:
      return FileFailure("AlreadyExists", path, "exists already");
    case EACCES:
    case EPERM:
    case EROFS:
      return FileFailure("PermissionDenied", path, "the service may not do that");
    case ENOSPC:
    case EDQUOT:
      return FileFailure("NoSpace", path, "no space left");
    case EFBIG:
      return FileFailure("TooLarge", path, "larger than the file system takes");
    case ENAMETOOLONG:
      return jobs::InvalidInput("path: a component is longer than the file system takes");
    default:
      return FileFailure("IoError", path, std::strerror(error));
  }
}

absl::StatusOr<std::shared_ptr<const FileRoot>> FileRoot::Open(const FileOptions& options) {
  struct stat found, slash;
  Descriptor root(open(options.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root.get() < 0 || fstat(root.get(), &found) != 0) {
    return absl::InvalidArgumentError(
        fmt::format("the root of the file functions, \"{}\": {}", options.root, std::strerror(errno)));
  }
  // Below "/" lie /proc, /dev and the service's own keys.
  if (stat("/", &slash) == 0 && found.st_dev == slash.st_dev && found.st_ino == slash.st_ino) {
    return absl::InvalidArgumentError(
        "the root of the file functions must not be \"/\": give them a directory of their own");
  }
  const Descriptor probe(OpenBeneath(root.get(), ".", O_PATH | O_DIRECTORY));
  if (probe.get() < 0) return NoOpenat2(errno);
  return std::shared_ptr<const FileRoot>(new FileRoot(options, std::move(root)));
}

std::shared_ptr<const FileRoot> FileRoot::ForReference(const FileOptions& options) {
  return std::shared_ptr<const FileRoot>(new FileRoot(options, Descriptor()));
}

absl::StatusOr<Descriptor> FileRoot::OpenFile(std::string_view path) const {
  MUSTER_ASSIGN_OR_RETURN(const std::string normalized, Normalized(path));
  // O_PATH first: merely opening a device may do something. The second look is for what was swapped in between, and
  // O_NONBLOCK for a FIFO without a writer; it means nothing for a regular file.
  for (const uint64_t flags : {uint64_t{O_PATH}, uint64_t{O_RDONLY | O_NONBLOCK | O_NOCTTY}}) {
    Descriptor file(OpenBeneath(root_.get(), normalized, flags));
    struct stat found;
    if (file.get() < 0 || fstat(file.get(), &found) != 0) return FileFailure(errno, path);
    if (S_ISDIR(found.st_mode)) return FileFailure(EISDIR, path);
    if (!S_ISREG(found.st_mode)) return FileFailure(ENODEV, path);
    if (flags != O_PATH) return file;
  }
  return FileFailure(EIO, path);
}

absl::StatusOr<Descriptor> FileRoot::OpenDirectory(std::string_view path) const {
  MUSTER_ASSIGN_OR_RETURN(const std::string normalized, Normalized(path));
  Descriptor directory(OpenBeneath(root_.get(), normalized, O_RDONLY | O_DIRECTORY));
  if (directory.get() < 0) return FileFailure(errno, path);
  return directory;
}

absl::StatusOr<FileRoot::Place> FileRoot::OpenParent(std::string_view path, bool make) const {
  MUSTER_ASSIGN_OR_RETURN(const std::string normalized, Normalized(path));
  if (normalized == "." || path.back() == '/') return FileFailure(EISDIR, path);
  const size_t slash = normalized.rfind('/');
  Place place;
  place.name = normalized.substr(slash == std::string::npos ? 0 : slash + 1);
  const std::string parent = slash == std::string::npos ? "." : normalized.substr(0, slash);
  constexpr uint64_t kFlags = O_RDONLY | O_DIRECTORY;
  place.directory = Descriptor(OpenBeneath(root_.get(), parent, kFlags));
  if (place.directory.get() >= 0) return place;
  if (errno != ENOENT || !make) return FileFailure(errno, path);

  // From the top: each directory is opened from the root again, so that each step is checked as a whole.
  Descriptor above(OpenBeneath(root_.get(), ".", kFlags));
  if (above.get() < 0) return FileFailure(errno, path);
  for (size_t at = 0; at <= parent.size();) {
    const size_t end = std::min(parent.find('/', at), parent.size());
    const std::string prefix = parent.substr(0, end);
    Descriptor here(OpenBeneath(root_.get(), prefix, kFlags));
    if (here.get() < 0 && errno == ENOENT) {
      const std::string name = parent.substr(at, end - at);
      if (mkdirat(above.get(), name.c_str(), 0777) != 0 && errno != EEXIST) return FileFailure(errno, path);
      here = Descriptor(OpenBeneath(root_.get(), prefix, kFlags));
    }
    if (here.get() < 0) return FileFailure(errno, path);
    above = std::move(here);
    at = end + 1;
  }
  place.directory = std::move(above);
  return place;
}

}  // namespace muster::functions
