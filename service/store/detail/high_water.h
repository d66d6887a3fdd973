// HIGHWATER: the number of the last commit that is known to be synced, in a file of its own.
//
// Two slots, each in a page of its own and checksummed, are written in turn; the larger valid one counts. Nothing is
// synced: after a loss of power the file may lag behind, by any number of commits, but never runs ahead of the log,
// since a number is written when its commit has been synced. A slot fits into a sector, so a page that was being
// written holds the old or the new one; should a disk leave the sector unreadable, the other slot is still there.
//
// Threading: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rocksdb {
class Env;
class RandomRWFile;
}  // namespace rocksdb

namespace muster::store::detail {

class HighWater {
 public:
  // Makes the file, or replaces it, at once and synced: at no time is there half of one.
  static absl::Status Create(rocksdb::Env* env, const std::string& folder, uint64_t commit);
  // DATA_LOSS: missing, or neither slot is valid.
  static absl::StatusOr<uint64_t> Read(rocksdb::Env* env, const std::string& folder);
  static absl::StatusOr<std::unique_ptr<HighWater>> Open(rocksdb::Env* env, const std::string& folder);

  ~HighWater();

  // Does nothing when `commit` is not above what is there.
  absl::Status Mark(uint64_t commit);
  absl::Status Sync();

 private:
  HighWater(std::string folder, std::unique_ptr<rocksdb::RandomRWFile> file, uint64_t commit);

  const std::string folder_;
  const std::unique_ptr<rocksdb::RandomRWFile> file_;
  uint64_t commit_;
  uint64_t writes_ = 0;
};

}  // namespace muster::store::detail
