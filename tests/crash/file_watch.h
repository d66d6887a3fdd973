// Counts how often each file of a folder was put in its place: file.write renames a finished file to its name, and the
// kernel tells of each rename, so the count is that of the runs that got to their end, whichever server made them.
//
// Threading: any thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"

#include "service/base/mutex.h"

namespace muster::crash {

class FileWatch {
 public:
  static absl::StatusOr<std::unique_ptr<FileWatch>> Open(const std::string& folder);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // Renames to `name` up to now. CHECKs that the kernel lost none.
  uint64_t Count(const std::string& name);
  // Removes the file, and what is known of it.
  void Forget(const std::string& name);

 private:
  FileWatch(int fd, std::string folder) : fd_(fd), folder_(std::move(folder)) {}
  void ReadLocked() MUSTER_REQUIRES(mutex_);

  const int fd_;
  const std::string folder_;
  base::Mutex mutex_;
  std::unordered_map<std::string, uint64_t> counts_ MUSTER_GUARDED_BY(mutex_);
};

}  // namespace muster::crash
