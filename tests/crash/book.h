// The ledger on the disk and the judge, taken together: what is noted is written, synced and judged, in one order.
//
// Threading: any thread. Note blocks until the file is synced; those who come meanwhile share the next sync.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/base/mutex.h"
#include "tests/crash/judge.h"
#include "tests/crash/record.h"

namespace muster::crash {

class Book {
 public:
  static absl::StatusOr<std::unique_ptr<Book>> Open(const std::string& path);
  ~Book();
  Book(const Book&) = delete;
  Book& operator=(const Book&) = delete;

  // Fills nothing in: `since` is the caller's. A ledger that cannot be written ends the program: there is no test
  // without it.
  void Note(const Record& record) { Note(std::vector<Record>{record}); }
  void Note(const std::vector<Record>& records);

  uint64_t now() const;
  std::vector<std::string> violations() const;
  size_t violation_count() const;
  Judge::Counts counts() const;
  std::vector<Judge::Live> LiveFutures() const;

 private:
  explicit Book(int fd) : fd_(fd) {}
  void SyncLocked(uint64_t ticket) MUSTER_REQUIRES(mutex_);

  const int fd_;
  mutable base::Mutex mutex_;
  base::CondVar synced_;
  Judge judge_ MUSTER_GUARDED_BY(mutex_);
  std::string waiting_ MUSTER_GUARDED_BY(mutex_);  // lines that are not written yet
  uint64_t noted_ MUSTER_GUARDED_BY(mutex_) = 0;   // calls
  uint64_t on_disk_ MUSTER_GUARDED_BY(mutex_) = 0;
  bool syncing_ MUSTER_GUARDED_BY(mutex_) = false;
};

// Gives every record of a ledger to `judge`. DATA_LOSS names a line that cannot be read; a last line without its end
// was being written when its writer died, and is left out.
absl::Status Replay(const std::string& path, Judge& judge);

}  // namespace muster::crash
