// FileRoot: the one directory below which the file functions may work, and the opening of paths beneath it.
//
// The kernel decides what is beneath, at the moment of opening: openat2 with RESOLVE_BENEATH and
// RESOLVE_NO_MAGICLINKS (Linux 5.6). So there is no window between a check and a use, whoever renames what meanwhile.
// Symbolic links are followed as long as every step stays beneath the root (an absolute link never does), hence no
// O_NOFOLLOW for reading; a write replaces a link at its target's place instead of writing through it. Only regular
// files are read: a device or FIFO is opened without blocking, looked at, and refused. Other file systems mounted below
// the root belong to it.
//
// Paths of callers are relative, UTF-8, at most 4096 bytes and 128 components, without ".." and NUL. Errors are
// jobs::Failure with the types NotFound, OutsideRoot, IsADirectory, NotADirectory, NotARegularFile, TooLarge,
// AlreadyExists, PermissionDenied, NoSpace, TooManyLinks and IoError; they name the caller's path and never the root's.
//
// Threading: any; the calls block. Lifetime: descriptors it gave out live on without it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace muster::functions {

struct FileOptions {
  std::string root;  // empty: no file functions
  // What one file.read may return and one file.write may write.
  uint64_t read_bytes_max = 1 << 20;
  uint64_t write_bytes_max = 16 << 20;
  uint32_t list_max = 1000;  // entries of one answer
};

// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  int get() const { return fd_; }
  // Gives it up.
  int Release();

 private:
  int fd_ = -1;
};

class FileRoot {
 public:
  // kInvalidArgument for a root that is no directory, or is "/"; kFailedPrecondition where the kernel, or the sandbox
  // around the process, has no openat2.
  static absl::StatusOr<std::shared_ptr<const FileRoot>> Open(const FileOptions& options);

  // One that opens nothing: for the descriptions of the functions alone.
  static std::shared_ptr<const FileRoot> ForReference(const FileOptions& options);

  const FileOptions& options() const { return options_; }

  // Reads from the start; refuses all but regular files.
  absl::StatusOr<Descriptor> OpenFile(std::string_view path) const;
  absl::StatusOr<Descriptor> OpenDirectory(std::string_view path) const;

  // The directory that holds the last component of `path`, made with all above it if `make`.
  struct Place {
    Descriptor directory;
    std::string name;
  };
  absl::StatusOr<Place> OpenParent(std::string_view path, bool make) const;

 private:
  FileRoot(FileOptions options, Descriptor root) : options_(std::move(options)), root_(std::move(root)) {}

  const FileOptions options_;
  const Descriptor root_;
};

// The typed error for an errno that an operation on the caller's `path` has met.
absl::Status FileFailure(int error, std::string_view path);
absl::Status FileFailure(std::string_view type, std::string_view path, std::string_view message);

}  // namespace muster::functions
