#include "service/verbs/stream_place.h"

#include "fmt/format.h"

#include "service/base/reason.h"

namespace muster::verbs {

StreamPlace::~StreamPlace() {
  if (shared_ != nullptr) shared_->streams.fetch_sub(1, std::memory_order_relaxed);
}

absl::StatusOr<StreamPlace> TakeStreamPlace(Rpc& rpc) {
  const uint64_t streams_max = rpc.service.limits().streams_max;
  const int64_t open = rpc.shared.streams.fetch_add(1, std::memory_order_relaxed);
  if (open < static_cast<int64_t>(streams_max)) return StreamPlace(rpc.shared);
  rpc.shared.streams.fetch_sub(1, std::memory_order_relaxed);
  if (rpc.shared.metrics != nullptr) rpc.shared.metrics->LimitHit(base::Reason::kTooManyStreams);
  return base::Refuse(
      base::Reason::kTooManyStreams,
      fmt::format("{} streams are open already, which is the limit; close some and try again", streams_max));
}

}  // namespace muster::verbs
