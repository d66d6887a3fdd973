#include "service/runtime/journal/thread_committer.h"

#include <utility>

#include "service/base/failpoint.h"

namespace muster::runtime {

ThreadCommitter::ThreadCommitter(store::Journal& journal, uint32_t epoch, Options options)
    : group_(journal, epoch, std::move(options)), thread_("journal", [this] { Run(); }) {}

ThreadCommitter::~ThreadCommitter() { ThreadCommitter::StopBlocking(); }

void ThreadCommitter::Submit(Commit& commit) { Push({&commit, nullptr}); }
void ThreadCommitter::Write(std::unique_ptr<store::Batch> batch) { Push({nullptr, std::move(batch)}); }

void ThreadCommitter::Push(GroupCommit::Item item) {
  under_way_.fetch_add(1, std::memory_order_seq_cst);
  base::MutexLock lock(mutex_);
  queue_.push_back(std::move(item));
  if (queue_.size() == 1) changed_.NotifyAll();
}

void ThreadCommitter::StopBlocking() {
  {
    base::MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  thread_.Join();
}

void ThreadCommitter::Run() {
  std::vector<GroupCommit::Item> taken;
  for (;;) {
    {
      base::MutexLock lock(mutex_);
      while (queue_.empty() && !stop_) changed_.Wait(mutex_);
      if (queue_.empty()) return;
      taken.swap(queue_);
    }
    base::Failpoint("commit.taken");
    group_.Append(taken);
    base::Failpoint("commit.durable");
    const auto count = static_cast<int64_t>(taken.size());
    group_.SendHome(taken);
    taken.clear();
    under_way_.fetch_sub(count, std::memory_order_seq_cst);
  }
}

}  // namespace muster::runtime
