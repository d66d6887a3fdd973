// Who is let in: whether there is room for a new future, and for one more that waits or streams. Each limit has one
// counter. Who was let in to wait or stream has a permit, whose end gives back what it took.
//
//   absl::StatusOr<WaitPermit> permit = admission.TryWaiter(members);
//   if (!permit.ok()) co_return permit.status();
//
// Refusals are told to the observer here.
//
// Threading: any thread. Lifetime: outlives its permits.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/runtime/admission/quota.h"
#include "service/runtime/observer.h"
#include "service/values/limits.h"

namespace muster::runtime {

class Admission;
class Namespaces;

// A place of Limits.streams_max: one for each AsCompleted, Run and health's Watch. Move-only; empty when moved from.
class [[nodiscard]] StreamPermit {
 public:
  StreamPermit(StreamPermit&& other) noexcept : streams_(std::exchange(other.streams_, nullptr)) {}
  StreamPermit& operator=(StreamPermit&& other) noexcept {
    std::swap(streams_, other.streams_);
    return *this;
  }
  ~StreamPermit() {
    if (streams_ != nullptr) streams_->Return(1);
  }

 private:
  friend class Admission;
  explicit StreamPermit(Quota& streams) : streams_(&streams) {}

  Quota* streams_;
};

// What one that waits takes: a place of Limits.waiters_max if it is a waiter, its members of Limits.wait_members_max.
// The observer counts it as open. Move-only; empty when moved from.
class [[nodiscard]] WaitPermit {
 public:
  WaitPermit() = default;
  WaitPermit(WaitPermit&& other) noexcept { Swap(other); }
  WaitPermit& operator=(WaitPermit&& other) noexcept {
    Swap(other);
    return *this;
  }
  ~WaitPermit();

 private:
  friend class Admission;
  enum class Kind : uint8_t { kNone, kWaiter, kCaller, kStream };
  WaitPermit(Admission& admission, Kind kind, int64_t members)
      : admission_(&admission), kind_(kind), members_(members) {}
  void Swap(WaitPermit& other) {
    std::swap(admission_, other.admission_);
    std::swap(kind_, other.kind_);
    std::swap(members_, other.members_);
  }

  Admission* admission_ = nullptr;
  Kind kind_ = Kind::kNone;
  int64_t members_ = 0;
};

class Admission {
 public:
  Admission(const values::Limits& limits, size_t blocking_queue_max, values::ShardIndex shards,
            const Namespaces& namespaces, Observer& observer);

  const values::Limits& limits() const { return limits_; }

  // --- New futures

  // DRAINING, STORE_FAILED, STORE_FULL, TOO_MANY_FUTURES, TOO_MANY_BYTES, TOO_MANY_REQUEST_IDS, QUEUE_FULL. One with a
  // request id is let through with the refusal beside it: the shard knows whether it is a repetition.
  absl::Status Admit(core::Submit& command);
  // What is decided elsewhere: counts the refusal.
  absl::Status Refuse(base::Reason reason, const std::string& message, std::string_view field = {});
  void CountRefused(const absl::Status& refusal);

  // --- Who waits

  // A call that awaits its own future. TOO_MANY_WAITERS.
  absl::StatusOr<WaitPermit> TryCaller();
  // A wait for `members` futures. TOO_MANY_WAITERS.
  absl::StatusOr<WaitPermit> TryWaiter(size_t members);
  // The same for a gather, which takes its members as they complete. TOO_MANY_WAITERS.
  absl::StatusOr<WaitPermit> TryGather(size_t members);
  // Members of a stream, whose RPC has a StreamPermit. TOO_MANY_WAITERS.
  absl::StatusOr<WaitPermit> TryStreamMembers(size_t members);
  // An RPC that streams. TOO_MANY_STREAMS.
  absl::StatusOr<StreamPermit> TryStream();

  // --- The state of the service, which every submit looks at

  void BeginDrain() { draining_.store(true, std::memory_order_relaxed); }
  bool draining() const { return draining_.load(std::memory_order_relaxed); }
  void SetStoreFailed() { store_failed_.store(true, std::memory_order_release); }
  bool store_failed() const { return store_failed_.load(std::memory_order_acquire); }
  void SetStoreFull(bool full) { store_full_.store(full, std::memory_order_relaxed); }

  // --- What is there; each loop adds what happens on it

  // `waits_for_pool`: its body blocks.
  void OnChanged(const core::Changed& change, bool waits_for_pool);
  // `count`, of any thread: blocking jobs of those that wait, but for no thread. Before the loops run.
  void NotWaiting(std::function<uint64_t()> count) { not_waiting_ = std::move(count); }
  // Request ids that a shard remembers; stored by its loop.
  std::atomic<uint64_t>& RequestIdsOf(values::ShardIndex shard) { return request_ids_[shard]; }

 private:
  friend class WaitPermit;

  absl::Status Room(const core::Submit& command) const;
  absl::Status RoomForRequestId() const;
  bool TakeWaiter(int64_t members);
  absl::StatusOr<WaitPermit> Open(WaitPermit::Kind kind, int64_t members);
  void Close(WaitPermit::Kind kind, int64_t members);

  const values::Limits limits_;
  const size_t blocking_queue_max_;
  const Namespaces& namespaces_;
  Observer& observer_;

  Quota waiters_;
  Quota wait_members_;
  Quota streams_;

  // Counted from effects, so they have no permits.
  std::atomic<int64_t> pending_futures_{0};
  std::atomic<int64_t> blocking_queued_{0};  // blocking jobs that have been accepted and do not run yet
  std::function<uint64_t()> not_waiting_;    // for a thread
  std::vector<std::atomic<uint64_t>> request_ids_;

  std::atomic<bool> draining_{false};      // set once
  std::atomic<bool> store_failed_{false};  // set once, by the committer
  std::atomic<bool> store_full_{false};
};

}  // namespace muster::runtime
