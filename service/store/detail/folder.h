// The folder of a store, apart from what RocksDB keeps in it: the file MUSTER, which says what the folder is, and how
// files of our own are written.
//
// A store is made in steps, and MUSTER is written first and last: while it says "being made" nobody was told yet that
// there is a store, so whoever finds it so starts again; while it says "being restored" a restore was interrupted, and
// only another restore may go on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rocksdb {
class Env;
class FileLock;
}  // namespace rocksdb

namespace muster::store::detail {

// Of the layout of the folder. A folder with a larger one is refused.
inline constexpr uint32_t kFolderFormat = 1;

enum class FolderState {
  kMissing,  // no folder
  kEmpty,    // nothing in it, or what an interrupted attempt to write MUSTER left
  kBeingMade,
  kBeingRestored,
  kStore,
};

// FAILED_PRECONDITION: something else, or of a newer version. DATA_LOSS: MUSTER is damaged.
absl::StatusOr<FolderState> InspectFolder(rocksdb::Env* env, const std::string& folder);

// `state` is one of the last three.
absl::Status WriteMarker(rocksdb::Env* env, const std::string& folder, FolderState state);

// The folder, in one that exists; synced. It may be there already.
absl::Status MakeFolder(rocksdb::Env* env, const std::string& folder);
absl::Status SyncFolder(rocksdb::Env* env, const std::string& folder);
// The folder that `path` lies in.
std::string ParentOf(const std::string& path);

// Writes a file of our own, new or instead of the present one; synced with its name. After a loss of power there is the
// old one or the new one.
absl::Status ReplaceFile(rocksdb::Env* env, const std::string& folder, const std::string& name, std::string_view text);

// Every file in the folder, which lies in no folder below it, but those whose name `keep` says; for what was left over.
absl::Status RemoveFiles(rocksdb::Env* env, const std::string& folder, bool (*keep)(std::string_view name));

// The folder is this process's for as long as the object lives. RocksDB has a lock of its own, which comes too late:
// what is in the folder is decided before RocksDB opens it.
class FolderLock {
 public:
  // FAILED_PRECONDITION: in use by another server.
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(rocksdb::Env* env, const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  FolderLock(rocksdb::Env* env, rocksdb::FileLock* lock) : env_(env), lock_(lock) {}

  rocksdb::Env* const env_;
  rocksdb::FileLock* const lock_;
};

// CRC-32C.
uint32_t Checksum(std::string_view text);

}  // namespace muster::store::detail
