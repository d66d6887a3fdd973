// Opening a store: which steps, in which order, so that a crash between any two leaves a good store or none.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"

#include "service/store/detail/folder.h"
#include "service/store/detail/high_water.h"
#include "service/store/rocks_journal.h"

namespace rocksdb {
class DB;
class EventListener;
}  // namespace rocksdb

namespace muster::store::detail {

struct OpenStore {
  OpenStore();
  OpenStore(OpenStore&&) noexcept;
  ~OpenStore();

  // In this order: the database is closed before the folder is let go.
  std::unique_ptr<FolderLock> lock;
  std::unique_ptr<HighWater> high_water;
  std::unique_ptr<rocksdb::DB> db;
  uint64_t commit = 0;   // number of the last one
  uint64_t flushed = 0;  // of the last one that is in sorted files
  uint32_t epoch = 0;    // of the last owner
};

// The store of options.path, which is made if there is none and that is allowed.
absl::StatusOr<OpenStore> OpenAsOwner(const RocksOptions& options, std::shared_ptr<rocksdb::EventListener> listener);

// As of now, beside an owner. Has neither lock nor high-water mark.
absl::StatusOr<OpenStore> OpenAsReader(const RocksOptions& options);

// Every byte of every sorted file, and every row. The files must stay where they are meanwhile.
absl::Status VerifyFiles(rocksdb::DB& db, const std::string& path);

}  // namespace muster::store::detail
