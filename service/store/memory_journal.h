// A journal in memory: for tests and simulations. What it survives is what the test says: several journals can be
// opened on one MemoryStore, one after another, as servers on one disk would be.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "service/base/mutex.h"
#include "service/store/journal.h"

namespace muster::store {

// The "disk". Threading: any thread.
struct MemoryStore {
  base::Mutex mutex;
  std::map<std::string, std::string, std::less<>> rows MUSTER_GUARDED_BY(mutex);
  uint32_t epoch MUSTER_GUARDED_BY(mutex) = 0;
  // Appends that still succeed before the "disk" fails for good with `failure`; negative: it never does.
  int64_t appends_left MUSTER_GUARDED_BY(mutex) = -1;
  absl::Status failure MUSTER_GUARDED_BY(mutex) = absl::UnavailableError("the disk has failed");
};

std::unique_ptr<Journal> OpenMemoryJournal(std::shared_ptr<MemoryStore> store);

}  // namespace muster::store
