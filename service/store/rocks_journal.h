// The journal on RocksDB: one folder on a local disk, one process at a time. docs/adr/0040 says how it is set and why.
//
// Beside RocksDB's files the folder holds MUSTER (what this folder is, and which version wrote it) and HIGHWATER: the
// number of the last commit that was synced, written after each. A store that opens with less than that has lost
// acknowledged work (a log that is missing or was cut), and is refused.
#pragma once

#include <memory>
#include <string>

#include "service/store/journal.h"

namespace rocksdb {
class Env;
}

namespace muster::store {

struct RocksOptions {
  std::string path;
  base::Durability durability = base::Durability::kSync;  // kAsync or kSync
  // Fails instead of making a new store where there is none.
  bool must_exist = false;
  // Opens what is there without changing a byte of it, beside a running owner too: for verify and stats. Append,
  // TakeOver, Compact and Backup fail.
  bool read_only = false;
  // The log is turned over, and rows go to sorted files, each time it has grown by so much.
  uint64_t log_bytes_max = 64u << 20;
  uint64_t block_cache_bytes = 32u << 20;
  // For tests: where files are read and written; null: the machine's. Outlives the journal.
  rocksdb::Env* env = nullptr;
};

// Opens the store, or makes it. Errors say what to do:
// FAILED_PRECONDITION: the folder is something else, is in use by another server, or was written by a newer version;
// PERMISSION_DENIED: it cannot be written; DATA_LOSS: a log is missing, was cut, or a file is damaged;
// UNAVAILABLE: the disk is full or fails.
absl::StatusOr<std::unique_ptr<Journal>> OpenRocksJournal(const RocksOptions& options);

// Makes a store at `path`, which must not exist or be empty, out of a backup. The backup is checked first.
// `env` is for tests, as above.
absl::Status RestoreRocksBackup(const std::string& backup, const std::string& path, rocksdb::Env* env = nullptr);

}  // namespace muster::store
