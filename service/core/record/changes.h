// What a journal must be told: which futures and request ids have changed since the last batch, and their records.
//
// A change marks; the record is made when the batch is taken, so what changes several times in between, or is made,
// ends and is forgotten, costs one row or none.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "service/core/futures/future.h"
#include "service/core/futures/request_ids.h"
#include "service/core/record/record.h"

namespace muster::core {

class Completed;
class FutureTable;

class Changes {
 public:
  explicit Changes(bool journaled) : journaled_(journaled) {}

  void Mark(Future& future) {
    if (!journaled_ || future.dirty || !future.announced) return;
    future.dirty = true;
    dirty_.push_back(future.slot);
  }
  void Mark(const RequestEntry& entry) {
    if (journaled_) dirty_requests_.emplace_back(entry.ns, entry.request_id);
  }
  // `future` has a row, and is about to be erased.
  void MarkGone(const FutureId& id, const Future& future) {
    gone_.push_back({id, future.input_stored, future.members_stored});
  }
  // Its window is over. `entry` is gone afterwards; its timer must not be armed.
  void Forget(RequestEntry& entry, RequestIds& requests) {
    if (entry.stored) gone_requests_.emplace_back(entry.ns, entry.request_id);
    requests.Erase(entry);
  }

  // Whether Take would have something to say.
  bool Any(const Completed& completed) const;
  // Changes that somebody could see; marks are numbers.
  bool AnyToSee() const {
    return !dirty_.empty() || !dirty_requests_.empty() || !gone_.empty() || !gone_requests_.empty();
  }
  void Take(FutureTable& futures, RequestIds& requests, const Completed& completed, ChangeSink& sink, uint64_t batch);

  // The last batch that took something.
  uint64_t taken_batch() const { return taken_batch_; }
  // What the rows say already.
  void Restored(const MarksRecord& marks) { saved_marks_ = marks; }
  const MarksRecord& saved_marks() const { return saved_marks_; }

 private:
  struct Gone {
    FutureId id;
    bool input, members;
  };

  bool TakeGone(ChangeSink& sink);
  bool TakeFutures(FutureTable& futures, ChangeSink& sink, uint64_t batch);
  bool TakeRequests(RequestIds& requests, ChangeSink& sink);
  void TakeFuture(const FutureId& id, Future& future, ChangeSink& sink);

  const bool journaled_;
  std::vector<uint32_t> dirty_;  // slots of futures
  std::vector<std::pair<NamespaceId, std::string>> dirty_requests_;
  std::vector<Gone> gone_;
  std::vector<std::pair<NamespaceId, std::string>> gone_requests_;
  FutureRecord record_;  // reused
  MarksRecord saved_marks_;
  uint64_t taken_batch_ = 0;
};

}  // namespace muster::core
