#include "service/runtime/committer.h"

#include <utility>

#include "service/base/failpoint.h"

namespace muster::runtime {

Committer::Committer(store::Journal& journal, uint32_t epoch, Options options)
    : journal_(journal), epoch_(epoch), options_(std::move(options)), thread_("journal", [this] { Run(); }) {}

Committer::~Committer() { StopBlocking(); }

void Committer::Submit(Commit& commit) { Push({&commit, nullptr}); }
void Committer::Write(std::unique_ptr<store::Batch> batch) { Push({nullptr, std::move(batch)}); }

void Committer::Push(Item item) {
  under_way_.fetch_add(1, std::memory_order_seq_cst);
  base::MutexLock lock(mutex_);
  queue_.push_back(std::move(item));
  if (queue_.size() == 1) changed_.NotifyAll();
}

void Committer::StopBlocking() {
  {
    base::MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  thread_.Join();
}

void Committer::Run() {
  std::vector<Item> taken;
  for (;;) {
    {
      base::MutexLock lock(mutex_);
      while (queue_.empty() && !stop_) changed_.Wait(mutex_);
      if (queue_.empty()) return;
      taken.swap(queue_);
    }
    base::Failpoint("commit.taken");
    AppendAll(taken);
    base::Failpoint("commit.durable");
    const auto count = static_cast<int64_t>(taken.size());
    for (Item& item : taken) {
      if (item.commit == nullptr) continue;
      item.commit->status = failure_;
      item.commit->loop->Post(*item.commit);  // nothing of the commit after this
    }
    taken.clear();
    under_way_.fetch_sub(count, std::memory_order_seq_cst);
  }
}

void Committer::AppendAll(std::vector<Item>& items) {
  if (!failure_.ok()) return;
  batches_.clear();
  size_t rows = 0;
  for (const Item& item : items) {
    const store::Batch* batch = item.commit != nullptr ? &item.commit->batch : item.owned.get();
    batches_.push_back(batch);
    rows += batch->rows();
  }
  const base::Instant start = clock_.Now();
  failure_ = journal_.Append(epoch_, batches_);
  if (!failure_.ok()) {
    if (options_.on_failure) options_.on_failure(failure_);
  } else if (options_.on_commit) {
    options_.on_commit(clock_.Now() - start, rows, items.size());
  }
}

}  // namespace muster::runtime
