// One attempt of one job while dispatch has it, and the table of all of a loop's.
//
// Threading: the loop's thread, but for what says otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "service/core/door/effect.h"
#include "service/values/id.h"

namespace muster::dispatch {

class Place;

// A base: whoever has the job knows more of it.
struct Run {
  Run(core::StartJob&& s, Place* at) : start(std::move(s)), place(at) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  const values::FutureId& id() const { return start.id; }

  core::StartJob start;
  Place* const place;  // null: it waits in the ready list

 protected:
  ~Run() = default;
};

// Finds the run of a future. By the place of its shard among the loop's, then by the future's slot in it: an array
// finds in two steps what a map of ids would be hashed for with each job.
class Runs {
 public:
  // Shards are dealt out to `loops` in turn.
  explicit Runs(size_t loops) : loops_(loops) {}

  void Add(Run& run) {
    if (run.place != nullptr) CountPlaced(1);
    At(run.id()) = &run;
  }
  // The slot may have the run of another future by now: one that was withdrawn stays for a while, and a thread may
  // still run the body of a future that has gone.
  void Remove(Run& run) {
    if (run.place != nullptr) CountPlaced(-1);
    Run*& found = At(run.id());
    if (found == &run) found = nullptr;
  }
  // Null when there is none.
  Run* Find(const values::FutureId& id) const {
    const size_t shard = id.shard / loops_;
    if (shard >= runs_.size() || id.slot >= runs_[shard].size()) return nullptr;
    Run* run = runs_[shard][id.slot];
    return run != nullptr && run->id() == id ? run : nullptr;
  }
  // `visit` neither adds nor removes any.
  template <typename F>
  void ForEach(F&& visit) const {
    for (const auto& shard : runs_) {
      for (Run* run : shard) {
        if (run != nullptr) visit(*run);
      }
    }
  }

  // How many are at a place. Any thread.
  uint64_t placed() const { return placed_.load(std::memory_order_relaxed); }

 private:
  Run*& At(const values::FutureId& id) {
    const size_t shard = id.shard / loops_;
    if (shard >= runs_.size()) runs_.resize(shard + 1);
    std::vector<Run*>& runs = runs_[shard];
    if (id.slot >= runs.size()) runs.resize(size_t{id.slot} + size_t{id.slot} / 2 + 64);
    return runs[id.slot];
  }
  void CountPlaced(int by) {  // the loop alone writes
    placed_.store(placed_.load(std::memory_order_relaxed) + static_cast<uint64_t>(by), std::memory_order_relaxed);
  }

  const size_t loops_;
  std::vector<std::vector<Run*>> runs_;
  std::atomic<uint64_t> placed_{0};
};

}  // namespace muster::dispatch
