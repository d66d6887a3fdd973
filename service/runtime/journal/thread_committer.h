// The server's committer: the one thread that writes to the journal.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "service/base/mutex.h"
#include "service/base/thread.h"
#include "service/runtime/journal/committer.h"

namespace muster::runtime {

class ThreadCommitter final : public Committer {
 public:
  // As of GroupCommit.
  ThreadCommitter(store::Journal& journal, uint32_t epoch, Options options);
  ~ThreadCommitter() override;

  void Submit(Commit& commit) override;
  void Write(std::unique_ptr<store::Batch> batch) override;
  void StopBlocking() override;
  bool idle() const override { return under_way_.load(std::memory_order_seq_cst) == 0; }

 private:
  void Push(GroupCommit::Item item);
  void Run();

  GroupCommit group_;  // the thread's
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<GroupCommit::Item> queue_ MUSTER_GUARDED_BY(mutex_);
  bool stop_ MUSTER_GUARDED_BY(mutex_) = false;
  // Added to by Submit before the loop may sleep, taken from after the post home: so who sees 0, and the loops asleep,
  // sees all of it done.
  std::atomic<int64_t> under_way_{0};
  base::Thread thread_;
};

}  // namespace muster::runtime
