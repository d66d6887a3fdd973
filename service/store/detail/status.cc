#include "service/store/detail/status.h"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>
#include <rocksdb/status.h>

namespace muster::store::detail {
namespace {

// RocksDB passes errno on as text only.
bool Names(std::string_view text, int error) {
  return text.find(std::generic_category().message(error)) != std::string_view::npos;
}

}  // namespace

bool IsMissing(const rocksdb::Status& status) { return status.IsNotFound() || status.IsPathNotFound(); }

absl::Status ToStatus(const rocksdb::Status& status, std::string_view what, const std::string& path) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  const std::string head = fmt::format("cannot {} the store \"{}\": {}", what, path, text);
  if (status.IsNoSpace() || Names(text, ENOSPC) || Names(text, EDQUOT)) {
    return absl::UnavailableError(head + ". The disk is full: free space on it, or enlarge it, and restart the server");
  }
  if (Names(text, EACCES) || Names(text, EPERM)) {
    return absl::PermissionDeniedError(head + ". Give the folder to the user that the server runs as");
  }
  if (Names(text, EROFS)) {
    return absl::PermissionDeniedError(head +
                                       ". Its file system is read-only: mount it for writing; if it became so by "
                                       "itself, check the disk first");
  }
  if (Names(text, EMFILE) || Names(text, ENFILE)) {
    return absl::UnavailableError(head + ". Raise the limit of open files and restart the server");
  }
  if (status.IsCorruption() || status.IsNotFound()) {
    return absl::DataLossError(head +
                               ". Stop the server, keep a copy of the folder, check the disk, and restore the "
                               "latest backup into an empty folder");
  }
  return absl::UnavailableError(head +
                                ". Check the disk and the system's log, then restart the server; if it does not "
                                "start, restore the latest backup");
}

}  // namespace muster::store::detail
