#include "service/runtime/admission/admission.h"

#include <string>
#include <variant>

#include "fmt/format.h"

#include "service/base/reason.h"
#include "service/base/status.h"
#include "service/runtime/admission/namespaces.h"

namespace muster::runtime {
namespace {

bool HasRequestId(const core::Submit& command) {
  return command.options != nullptr && !command.options->request_id.empty();
}

bool IsQueued(values::State state) { return state == values::State::kQueued || state == values::State::kDelayed; }

}  // namespace

Admission::Admission(const values::Limits& limits, size_t blocking_queue_max, values::ShardIndex shards,
                     const Namespaces& namespaces, Observer& observer)
    : limits_(limits),
      blocking_queue_max_(blocking_queue_max),
      namespaces_(namespaces),
      observer_(observer),
      waiters_(limits.waiters_max),
      wait_members_(limits.wait_members_max),
      streams_(limits.streams_max),
      request_ids_(shards) {}

// --- New futures -----------------------------------------------------------------------------------------------------

absl::Status Admission::Admit(core::Submit& command) {
  absl::Status room = Room(command);
  if (room.ok()) return room;
  if (HasRequestId(command)) {
    command.no_room = std::move(room);
    return absl::OkStatus();
  }
  CountRefused(room);
  return room;
}

absl::Status Admission::Room(const core::Submit& command) const {
  if (draining()) {
    return base::Refuse(base::Reason::kDraining,
                        "the server is shutting down and takes no new work: retry against another, or when it is back");
  }
  if (store_failed_.load(std::memory_order_relaxed)) {
    return base::Refuse(base::Reason::kStoreFailed,
                        "the server's disk has failed, and it takes no new work: retry when it is back");
  }
  if (store_full_.load(std::memory_order_relaxed)) {
    return base::Refuse(base::Reason::kStoreFull,
                        "the store has reached its limit, or its disk is nearly full: delete futures, submit with a "
                        "shorter retention, or retry later");
  }
  const int64_t pending = pending_futures_.load(std::memory_order_relaxed);
  if (pending >= static_cast<int64_t>(limits_.pending_futures_max)) {
    return base::Refuse(base::Reason::kTooManyFutures,
                        fmt::format("{} futures are not done, and the limit is {}: retry when some have ended", pending,
                                    limits_.pending_futures_max));
  }
  const int64_t held = namespaces_.BytesHeld(command.ns);
  if (held >= static_cast<int64_t>(limits_.namespace_bytes_max)) {
    return base::Refuse(
        base::Reason::kTooManyBytes,
        fmt::format("the namespace holds {} bytes, and the limit is {}: delete futures, or submit with a "
                    "shorter retention",
                    held, limits_.namespace_bytes_max));
  }
  if (HasRequestId(command)) {
    MUSTER_RETURN_IF_ERROR(RoomForRequestId());
  }
  const auto* job = std::get_if<values::JobSpec>(&command.spec);
  if (job != nullptr && job->kind == values::FunctionKind::kBlocking) {
    const int64_t not_waiting = not_waiting_ ? static_cast<int64_t>(not_waiting_()) : 0;
    const int64_t queued = blocking_queued_.load(std::memory_order_relaxed) - not_waiting;
    if (queued >= static_cast<int64_t>(blocking_queue_max_)) {
      return base::Refuse(
          base::Reason::kQueueFull,
          fmt::format("{} jobs wait for the blocking pool, and its queue holds {}: retry when some have "
                      "started",
                      queued, blocking_queue_max_));
    }
  }
  return absl::OkStatus();
}

absl::Status Admission::RoomForRequestId() const {
  uint64_t remembered = 0;
  for (const auto& count : request_ids_) remembered += count.load(std::memory_order_relaxed);
  if (remembered < limits_.request_ids_max) return absl::OkStatus();
  return base::Refuse(base::Reason::kTooManyRequestIds,
                      fmt::format("{} request ids are remembered, and the limit is {}: retry later, or ask for a "
                                  "shorter request_id_ttl",
                                  remembered, limits_.request_ids_max));
}

absl::Status Admission::Refuse(base::Reason reason, const std::string& message, std::string_view field) {
  observer_.OnRefused(reason);
  return base::Refuse(reason, message, field);
}

void Admission::CountRefused(const absl::Status& refusal) {
  if (const auto reason = base::ReasonOf(refusal)) observer_.OnRefused(*reason);
}

void Admission::OnChanged(const core::Changed& change, bool waits_for_pool) {
  if (change.created) {
    pending_futures_.fetch_add(1, std::memory_order_relaxed);
    if (waits_for_pool && IsQueued(change.to)) blocking_queued_.fetch_add(1, std::memory_order_relaxed);
  } else if (waits_for_pool && IsQueued(change.from) != IsQueued(change.to)) {
    blocking_queued_.fetch_add(IsQueued(change.to) ? 1 : -1, std::memory_order_relaxed);
  }
  if (values::IsDone(change.to)) pending_futures_.fetch_sub(1, std::memory_order_relaxed);
}

// --- Who waits -------------------------------------------------------------------------------------------------------

absl::StatusOr<StreamPermit> Admission::TryStream() {
  if (streams_.TryTake(1)) return StreamPermit(streams_);
  return Refuse(
      base::Reason::kTooManyStreams,
      fmt::format("{} streams are open already, which is the limit; close some and try again", limits_.streams_max));
}

absl::StatusOr<WaitPermit> Admission::TryCaller() {
  if (waiters_.TryTake(1)) return Open(WaitPermit::Kind::kCaller, 1);
  return Refuse(base::Reason::kTooManyWaiters,
                fmt::format("{} calls wait already, and the limit is {}: retry later, or submit and wait "
                            "for many at once",
                            waiters_.used(), limits_.waiters_max));
}

bool Admission::TakeWaiter(int64_t members) {
  if (!waiters_.TryTake(1)) return false;
  if (wait_members_.TryTake(members)) return true;
  waiters_.Return(1);
  return false;
}

absl::StatusOr<WaitPermit> Admission::TryWaiter(size_t members) {
  const auto count = static_cast<int64_t>(members);
  if (TakeWaiter(count)) return Open(WaitPermit::Kind::kWaiter, count);
  return Refuse(base::Reason::kTooManyWaiters,
                fmt::format("{} calls wait already for {} futures; the limits are {} and {}: retry later, "
                            "or wait for fewer at once",
                            waiters_.used(), wait_members_.used(), limits_.waiters_max, limits_.wait_members_max));
}

absl::StatusOr<WaitPermit> Admission::TryGather(size_t members) {
  const auto count = static_cast<int64_t>(members);
  if (TakeWaiter(count)) return Open(WaitPermit::Kind::kWaiter, count);
  return Refuse(base::Reason::kTooManyWaiters,
                fmt::format("{} waits are open already, over {} futures; the limits are {} and {}: close some, or take "
                            "fewer at once",
                            waiters_.used(), wait_members_.used(), limits_.waiters_max, limits_.wait_members_max));
}

absl::StatusOr<WaitPermit> Admission::TryStreamMembers(size_t members) {
  const auto count = static_cast<int64_t>(members);
  if (wait_members_.TryTake(count)) return Open(WaitPermit::Kind::kStream, count);
  return Refuse(base::Reason::kTooManyWaiters,
                fmt::format("{} streams are open already, over {} futures; the limits are {} and {}: close some, or "
                            "take fewer at once",
                            streams_.used(), wait_members_.used(), limits_.streams_max, limits_.wait_members_max));
}

absl::StatusOr<WaitPermit> Admission::Open(WaitPermit::Kind kind, int64_t members) {
  if (kind == WaitPermit::Kind::kStream) {
    observer_.OnStream(1, members);
  } else {
    observer_.OnWait(1, members);
  }
  return WaitPermit(*this, kind, members);
}

void Admission::Close(WaitPermit::Kind kind, int64_t members) {
  if (kind == WaitPermit::Kind::kStream) {
    observer_.OnStream(-1, members);
  } else {
    observer_.OnWait(-1, members);
    waiters_.Return(1);
  }
  if (kind != WaitPermit::Kind::kCaller) wait_members_.Return(members);
}

WaitPermit::~WaitPermit() {
  if (admission_ != nullptr) admission_->Close(kind_, members_);
}

}  // namespace muster::runtime
