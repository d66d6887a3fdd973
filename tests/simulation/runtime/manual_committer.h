// A committer that commits when it is told, on the thread of who tells it.
//
// Threading: one thread. Lifetime: as Committer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "service/runtime/journal/committer.h"

namespace muster::simulation {

class ManualCommitter final : public runtime::Committer {
 public:
  ManualCommitter(store::Journal& journal, uint32_t epoch, Options options)
      : group_(journal, epoch, std::move(options)) {}

  size_t waiting() const { return queue_.size(); }
  // Those handed over first, as one append.
  void CommitSome(size_t most) {
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(most, queue_.size()));
    std::vector<runtime::GroupCommit::Item> taken(std::move_iterator(queue_.begin()), std::move_iterator(end));
    queue_.erase(queue_.begin(), end);
    if (taken.empty()) return;
    group_.Append(taken);
    group_.SendHome(taken);
  }
  void CommitAll() { CommitSome(queue_.size()); }

  void Submit(runtime::Commit& commit) override { queue_.push_back({&commit, nullptr}); }
  void Write(std::unique_ptr<store::Batch> batch) override { queue_.push_back({nullptr, std::move(batch)}); }
  void StopBlocking() override { CommitAll(); }
  bool idle() const override { return queue_.empty(); }

 private:
  runtime::GroupCommit group_;
  std::vector<runtime::GroupCommit::Item> queue_;
};

}  // namespace muster::simulation
