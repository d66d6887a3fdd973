// Taking a shard up again from its records. Futures come first, each by itself; then combinators, those that nest least
// first, are tied to their members again, so that whatever one needs of its members is there when its turn comes.
//
// Lifetime: made for a shard that is new, gone when the last restored job has been resumed. shard.h has the order of
// the calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

#include "service/core/futures/future.h"
#include "service/core/record/record.h"

namespace muster::core {

struct Turn;

class Restoring {
 public:
  // DATA_LOSS says what contradicts itself.
  absl::Status Take(Turn& turn, const FutureRecord& record);
  absl::Status TakeInput(Turn& turn, const FutureId& id, Payload input);
  absl::Status TakeMembers(Turn& turn, const FutureId& id, const MembersRecord& members);
  absl::Status Take(Turn& turn, const RequestRecord& record);
  void Take(Turn& turn, const MarksRecord& marks);
  // How deep combinators nest.
  uint32_t FinishTaking(Turn& turn);

  void Relink(Turn& turn, uint32_t depth);
  absl::Status FinishRelinking(Turn& turn);
  // From here on futures may go.
  bool linked() const { return linked_; }
  // A member's shard has said what it knows of it; `depth`: how deep it nests.
  void MemberAnswered(Turn& turn, Future& combinator, const MemberLink& member, uint32_t depth);

  // At most `max` jobs; false when there are no more.
  bool Resume(Turn& turn, size_t max);

 private:
  absl::Status Check(Turn& turn, const FutureRecord& record) const;
  void TakeCold(Turn& turn, Future& future, const FutureRecord& record);
  void TakeCombinator(Future& future, const CombinatorRecord& record);
  void ToRelink(uint32_t depth, Future& future);
  void RelinkOne(Turn& turn, Future& combinator);
  void Relinked(Turn& turn, Future& combinator);
  bool RelinkDone(Future& gather);
  void SayDamaged(Turn& turn, const Future& future, const std::string& what);

  std::vector<std::vector<Future*>> relink_;  // combinators by depth; at 0 jobs that cannot run again
  absl::Status damage_;                       // the first that was seen while relinking
  absl::flat_hash_map<const Future*, std::vector<CombinatorRecord::Sent>> cancels_sent_;
  bool linked_ = false;
  std::vector<uint32_t> to_resume_;  // slots of jobs, in order of creation
  size_t resumed_ = 0;               // of those
};

}  // namespace muster::core
