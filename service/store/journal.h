// Where the service's state survives: rows, opaque keys and values, that are put and deleted in atomic batches.
//
// A journal belongs to one owner at a time, who holds an epoch. Taking over raises it, durably; whoever appends under
// an earlier one is refused and must stop: that is how a server that was thought dead cannot write over its successor.
//
// After a failed Append nothing can be said of what is on the disk (a failed fsync may have lost what it reported), so
// a journal that has failed once fails for good: each further Append returns the first error. Reads go on.
//
// Threading: Append by one thread at a time; everything else from any thread at any time, beside an Append too.
// Lifetime: closing (the destructor) syncs what is not synced yet.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/base/durability.h"

namespace muster::store {

// Changes of rows, applied in order and all or nothing. One flat buffer, which Clear keeps.
//
//   batch.Put("key", "value");
//   batch.Delete("other");
class Batch {
 public:
  void Put(std::string_view key, std::string_view value);
  // A row that is not there is no error.
  void Delete(std::string_view key);
  void Clear();

  bool empty() const { return rows_ == 0; }
  size_t rows() const { return rows_; }
  size_t bytes() const { return buffer_.size(); }

  // In the order of the calls; `value` is nullopt for a Delete. The views are good until the batch changes.
  void ForEach(const std::function<void(std::string_view key, std::optional<std::string_view> value)>& visit) const;

 private:
  std::string buffer_;
  size_t rows_ = 0;
};

// Called with each row in key order; a status that is not OK ends the scan, which then returns it.
using RowVisitor = std::function<absl::Status(std::string_view key, std::string_view value)>;

// For metrics and `muster admin stats`. Bytes; counts since the journal was opened.
struct JournalStats {
  uint64_t commits = 0;     // appends that were made durable
  uint64_t rows = 0;        // put or deleted by them
  uint64_t log_bytes = 0;   // written to the log by them
  uint64_t live_rows = 0;   // an estimate
  uint64_t disk_bytes = 0;  // files of the store
  uint64_t free_bytes = 0;  // of its file system, for an unprivileged user
  uint64_t stalls = 0;      // times the store held writes up to catch up with compaction
  uint64_t background_errors = 0;
};

class Journal {
 public:
  virtual ~Journal() = default;
  Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Makes the caller the owner. The new epoch is above every earlier one and at least `at_least`.
  virtual absl::StatusOr<uint32_t> TakeOver(uint32_t at_least) = 0;

  // All batches as one atomic change, in order; as durable as durability() says when it returns OK.
  // FAILED_PRECONDITION: `epoch` is not the present one. UNAVAILABLE: it could not be written; the message says why and
  // what to do, for an operator.
  virtual absl::Status Append(uint32_t epoch, std::span<const Batch* const> batches) = 0;

  // Every row whose key begins with `prefix`, as of the call. DATA_LOSS when a row cannot be read back as it was
  // written.
  virtual absl::Status Scan(std::string_view prefix, const RowVisitor& visit) = 0;
  virtual absl::StatusOr<std::optional<std::string>> Get(std::string_view key) = 0;

  // Makes everything that was appended survive a loss of power, whatever durability() says.
  virtual absl::Status Sync() = 0;
  // Gives back the disk space of what was deleted, now. Blocks for as long as that takes.
  virtual absl::Status Compact() = 0;
  // Reads every byte of every file and compares checksums. DATA_LOSS names the file.
  virtual absl::Status Verify() = 0;
  // A consistent copy of the present state in the folder `path`, which must not exist. UNIMPLEMENTED: a journal that
  // has no files.
  virtual absl::Status Backup(const std::string& path) = 0;

  virtual base::Durability durability() const = 0;
  virtual JournalStats stats() const = 0;
};

}  // namespace muster::store
