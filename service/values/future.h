// What a future can be, and what it can be waited for.
#pragma once

#include <cstdint>

namespace muster::values {

enum class State : uint8_t {
  kPending,  // promise, gather, shield, wait_for
  kDelayed,
  kQueued,
  kRunning,
  kSucceeded,
  kFailed,
  kCancelled,
  kExpired,  // only ever reported, never held: a member that vanished between two resumes of as_completed
};
constexpr bool IsDone(State s) { return s >= State::kSucceeded; }

enum class FutureKind : uint8_t { kJob, kPromise, kGather, kShield, kWaitFor };
enum class FunctionKind : uint8_t { kAsync, kBlocking, kProcess, kRemote };
enum class ReturnWhen : uint8_t { kAllCompleted, kFirstCompleted, kFirstException };

}  // namespace muster::values
