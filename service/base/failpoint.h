// Places where a test may make the process die or an operation fail, named "part.step". Nothing happens at them unless
// one was armed, by the variable MUSTER_FAILPOINT when the server starts or by a test.
//
//   MUSTER_FAILPOINT=commit.sealed:kill:3    the third time that this place is reached, SIGKILL
//   MUSTER_FAILPOINT=journal.write:fail:1    the first and every later time, FailpointFails() is true
//
// Several are separated by commas. Threading: any thread, once armed. An unarmed place costs one relaxed load.
#pragma once

#include <atomic>
#include <string_view>

#include "absl/status/status.h"

namespace muster::base {

namespace detail {
extern std::atomic<bool> failpoints_armed;  // relaxed: armed before the threads that pass them are started
bool HitFailpoint(std::string_view name);
}  // namespace detail

// INVALID_ARGUMENT says what is wrong with the text. Replaces what was armed before; empty disarms all.
absl::Status ArmFailpoints(std::string_view text);

// True when this place is to fail now. Does not return when it is to die.
inline bool FailpointFails(std::string_view name) {
  return detail::failpoints_armed.load(std::memory_order_relaxed) && detail::HitFailpoint(name);
}
inline void Failpoint(std::string_view name) { (void)FailpointFails(name); }

}  // namespace muster::base
