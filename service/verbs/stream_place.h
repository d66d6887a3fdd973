// One of Limits.streams_max: held by each AsCompleted, Run and health's Watch while it is open.
#pragma once

#include <utility>

#include "absl/status/statusor.h"

#include "service/verbs/rpc.h"

namespace muster::verbs {

class StreamPlace {
 public:
  StreamPlace(StreamPlace&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  StreamPlace& operator=(StreamPlace&&) = delete;
  ~StreamPlace();

 private:
  friend absl::StatusOr<StreamPlace> TakeStreamPlace(Rpc& rpc);
  explicit StreamPlace(Shared& shared) : shared_(&shared) {}
  Shared* shared_;  // null: moved on
};

// TOO_MANY_STREAMS when all are taken.
absl::StatusOr<StreamPlace> TakeStreamPlace(Rpc& rpc);

}  // namespace muster::verbs
