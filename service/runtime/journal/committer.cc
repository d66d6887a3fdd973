#include "service/runtime/journal/committer.h"

#include <utility>

namespace muster::runtime {

GroupCommit::GroupCommit(store::Journal& journal, uint32_t epoch, Committer::Options options)
    : journal_(journal), epoch_(epoch), options_(std::move(options)) {}

void GroupCommit::Append(const std::vector<Item>& items) {
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

void GroupCommit::SendHome(std::vector<Item>& items) {
  for (Item& item : items) {
    if (item.commit == nullptr) continue;
    item.commit->status = failure_;
    item.commit->loop->Post(*item.commit);  // nothing of the commit after this
  }
}

}  // namespace muster::runtime
