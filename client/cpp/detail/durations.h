// base::Duration to and from the wire's Duration.
#pragma once

#include <chrono>

#include <google/protobuf/duration.pb.h>

#include "service/base/clock.h"

namespace muster::client::detail {

inline void SetDuration(base::Duration from, google::protobuf::Duration& to) {
  constexpr std::int64_t kMicrosPerSecond = 1'000'000;
  to.set_seconds(from.count() / kMicrosPerSecond);
  to.set_nanos(static_cast<std::int32_t>(from.count() % kMicrosPerSecond * 1000));
}

inline base::Duration FromMessage(const google::protobuf::Duration& from) {
  return std::chrono::seconds(from.seconds()) + std::chrono::microseconds(from.nanos() / 1000);
}

}  // namespace muster::client::detail
