// Which ready job goes to which place.
//
// The rule: of all ready jobs that some place with room serves, the one that came first; of these places the one with
// the most room, of equals the one that was added first. A job whose function nobody serves stays, and holds nobody up.
//
// It decides and no more: it has no clock, no threads, no I/O, and equal calls give equal decisions, so that a test
// drives it with seeds. Threading: the loop's thread.
//
//   while (auto next = matching.Next()) {
//     std::unique_ptr<ReadyJob> job = matching.Take(*next->job);
//     ...                                                          // start it there
//     matching.SetRoom(next->place, what is left);
//   }
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "service/dispatch/ready.h"

namespace muster::dispatch {

class Matching {
 public:
  using PlaceIndex = uint32_t;

  // 0, 1, 2 ...; without room so far.
  PlaceIndex AddPlace();
  void SetRoom(PlaceIndex place, size_t room) { room_[place] = room; }

  // From now on that place serves the function. Idempotent.
  void Serve(values::FunctionId function, PlaceIndex place);
  // Nobody does any more.
  void Unserve(values::FunctionId function);

  ReadyJob& Push(core::StartJob&& start);
  std::unique_ptr<ReadyJob> Take(ReadyJob& job);

  struct Decision {
    ReadyJob* job;
    PlaceIndex place;
  };
  // Nothing changes until the caller takes the job and tells the place's room.
  std::optional<Decision> Next() const;

  // Whether a job is ready that this place serves, however much room it has.
  bool Wants(PlaceIndex place) const;
  bool served(values::FunctionId function) const { return !PlacesOf(function).empty(); }
  bool empty() const { return ready_.size() == 0; }
  size_t size() const { return ready_.size(); }
  size_t size(values::FunctionId function) const { return ready_.size(function); }
  // Those whose function nobody serves, by its kind.
  size_t unserved(values::FunctionKind kind) const { return unserved_[static_cast<size_t>(kind)]; }
  size_t unserved() const;

 private:
  static constexpr size_t kKinds = 4;
  using Places = std::vector<PlaceIndex>;

  const Places& PlacesOf(values::FunctionId function) const;
  // Jobs of that function have been served, or not, until now.
  void CountUnserved(values::FunctionId function, bool unserved);

  Ready ready_;
  std::vector<size_t> room_;
  absl::flat_hash_map<values::FunctionId, Places> served_by_;
  // Functions that somebody serves and that have ready jobs, by the age of the oldest. There may be many functions that
  // nobody serves; no decision looks at them.
  std::set<std::pair<uint64_t, values::FunctionId>> waiting_;
  std::array<size_t, kKinds> unserved_{};
};

}  // namespace muster::dispatch
