// Looks after the store while the server runs: how full it and its disk are, and what an operator asks of it.
//
// Threading: a thread of its own, for what blocks; everything else from any thread. Lifetime: journal and service
// outlive it; it ends before the journal does.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"
#include "service/store/journal.h"

namespace muster::app {

class StoreWatch {
 public:
  struct Options {
    uint64_t bytes_max = 0;  // 0: no limit
    uint64_t free_bytes_min = 0;
    std::string backup_dir;  // empty: no backups
    base::Duration interval = std::chrono::seconds(1);
    std::function<void(bool full)> on_full;  // on its thread, whenever that changes
  };

  StoreWatch(store::Journal& journal, Options options);
  ~StoreWatch();

  // Of the last look.
  store::JournalStats stats() const;
  bool full() const { return full_.load(std::memory_order_relaxed); }

  // "compact", "verify" or "backup/NAME": begins it, one at a time. INVALID_ARGUMENT, UNAVAILABLE when one is under
  // way.
  absl::Status Begin(std::string_view operation);
  // "idle", "running OPERATION", "done OPERATION: ...", "failed OPERATION: ..."
  std::string State() const;

 private:
  void Run();
  void Look();
  std::string Perform(const std::string& operation);

  store::Journal& journal_;
  const Options options_;
  std::atomic<bool> full_{false};
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  bool stop_ MUSTER_GUARDED_BY(mutex_) = false;
  std::string wanted_ MUSTER_GUARDED_BY(mutex_);
  std::string state_ MUSTER_GUARDED_BY(mutex_) = "idle";
  store::JournalStats stats_ MUSTER_GUARDED_BY(mutex_);
  base::Thread thread_;
};

}  // namespace muster::app
