// `file.write`: a whole file below the root, at once or not at all.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/functions/file/register.h"
#include "service/functions/file/temporary_name.h"
#include "service/functions/input.h"
#include "service/jobs/error.h"
#include "service/jobs/json.h"

namespace muster::functions {
namespace {

constexpr size_t kChunk = 1 << 20;

// A file under a name of its own until it is complete; removed again unless it was kept.
class TemporaryFile {
 public:
  // -1 in fd() and errno when it could not be made.
  explicit TemporaryFile(int directory) : directory_(directory) {
    uint64_t number = 0;
    // 64 random bits: a clash is an error that nobody will see, not an attack (O_EXCL).
    if (getrandom(&number, sizeof number, 0) != sizeof number) return;
    name_ = fmt::format("{}{:016x}{}", kTemporaryPrefix, number, kTemporarySuffix);
    fd_ = Descriptor(openat(directory, name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  }
  ~TemporaryFile() {
    if (fd_.get() >= 0 && !kept_) unlinkat(directory_, name_.c_str(), 0);
  }

  int fd() const { return fd_.get(); }
  // Gives it its real name. False and errno on failure.
  bool Keep(const std::string& name, bool overwrite) {
    kept_ = renameat2(directory_, name_.c_str(), directory_, name.c_str(), overwrite ? 0 : RENAME_NOREPLACE) == 0;
    return kept_;
  }

 private:
  const int directory_;
  std::string name_;
  Descriptor fd_;
  bool kept_ = false;
};

absl::Status WriteBlocking(int fd, std::string_view data, std::string_view path, const jobs::BlockingContext& context) {
  while (!data.empty()) {
    if (context.cancelled()) return absl::CancelledError("cancelled while writing");
    const ssize_t count = write(fd, data.data(), std::min(data.size(), kChunk));
    if (count < 0 && errno != EINTR) return FileFailure(errno, path);
    if (count > 0) data.remove_prefix(static_cast<size_t>(count));
  }
  // The outcome must not say "written" of what a power cut would take back.
  if (fsync(fd) != 0) return FileFailure(errno, path);
  return absl::OkStatus();
}

// A rename would put a file in the place of whatever is there. A link or a file is meant to be replaced, nothing else.
absl::Status CheckReplaceable(const FileRoot::Place& place, std::string_view path) {
  struct stat found;
  if (fstatat(place.directory.get(), place.name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? absl::OkStatus() : FileFailure(errno, path);
  }
  if (S_ISDIR(found.st_mode)) return FileFailure(EISDIR, path);
  if (!S_ISREG(found.st_mode) && !S_ISLNK(found.st_mode)) return FileFailure(ENODEV, path);
  return absl::OkStatus();
}

absl::StatusOr<jobs::Payload> FileWrite(const FileRoot& root, jobs::BlockingContext& context,
                                        const jobs::Payload& payload) {
  Input input = Input::Object(payload, {"path", "data", "data_base64", "parents", "overwrite"});
  const std::string path = input.RequiredText("path", 4096);
  if (input.Has("data") == input.Has("data_base64")) input.Fail("exactly one of data and data_base64 must be given");
  const uint64_t cap = root.options().write_bytes_max;
  const std::string data = input.Has("data") ? input.Text("data", SIZE_MAX) : input.Base64("data_base64");
  const bool parents = input.Bool("parents", false);
  const bool overwrite = input.Bool("overwrite", true);
  MUSTER_RETURN_IF_ERROR(input.status());
  if (data.size() > cap) {
    return FileFailure("TooLarge", path, fmt::format("{} bytes, at most {} are written at once", data.size(), cap));
  }

  MUSTER_ASSIGN_OR_RETURN(const FileRoot::Place place, root.OpenParent(path, parents));
  MUSTER_RETURN_IF_ERROR(CheckReplaceable(place, path));
  TemporaryFile file(place.directory.get());
  if (file.fd() < 0) return FileFailure(errno, path);
  MUSTER_RETURN_IF_ERROR(WriteBlocking(file.fd(), data, path, context));
  if (context.cancelled()) return absl::CancelledError("cancelled before the file got its name");
  if (!file.Keep(place.name, overwrite)) return FileFailure(errno, path);
  if (fsync(place.directory.get()) != 0) return FileFailure(errno, path);
  return jobs::JsonPayload({{"path", path}, {"bytes", data.size()}});
}

}  // namespace

absl::Status RegisterFileWrite(jobs::Registry& registry, std::shared_ptr<const FileRoot> root) {
  return registry.AddBlocking(
      "file.write",
      fmt::format("Writes a file below the configured root, atomically: a reader sees the old file or the new one, and "
                  "what was reported written survives a power cut. \"path\" is relative to the root; \"data\" is text, "
                  "or \"data_base64\" bytes, at most {}. \"parents\": true makes missing directories; \"overwrite\": "
                  "false refuses to replace (AlreadyExists). A symbolic link at the path is replaced, not followed. "
                  "Returns {{\"path\", \"bytes\"}}. Error types: those of file.read, AlreadyExists, NoSpace.",
                  root->options().write_bytes_max),
      jobs::JsonPayload({{"path", "notes/hello.txt"}, {"data", "hello\n"}, {"parents", true}}),
      [root](jobs::BlockingContext& context, const jobs::Payload& input) { return FileWrite(*root, context, input); });
}

}  // namespace muster::functions
