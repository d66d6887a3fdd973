#include "service/runtime/submission.h"

#include <functional>
#include <string>
#include <utility>
#include <variant>

#include "fmt/format.h"

#include "service/base/reason.h"
#include "service/runtime/answer.h"

namespace muster::runtime {
namespace {

// FNV-1a: the shard of a request id must be the same after a restart, which std::hash does not promise.
uint64_t StableHash(std::string_view text, uint64_t hash = 0xcbf29ce484222325ull) {
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ull;
  }
  return hash;
}

const values::FutureId* FirstMember(const values::FutureSpec& spec) {
  if (const auto* gather = std::get_if<values::GatherSpec>(&spec)) {
    return gather->members.empty() ? nullptr : &gather->members.front();
  }
  if (const auto* shield = std::get_if<values::ShieldSpec>(&spec)) return &shield->inner;
  if (const auto* wait_for = std::get_if<values::WaitForSpec>(&spec)) return &wait_for->inner;
  return nullptr;
}

absl::Status Room(const Shared& shared, const core::Submit& command) {
  const values::Limits& limits = shared.options.limits;
  const Usage& usage = shared.usage;
  if (shared.draining.load(std::memory_order_relaxed)) {
    return base::Refuse(base::Reason::kDraining,
                        "the server is shutting down and takes no new work: retry against another, or when it is back");
  }
  if (shared.store_failed.load(std::memory_order_relaxed)) {
    return base::Refuse(base::Reason::kStoreFailed,
                        "the server's disk has failed, and it takes no new work: retry when it is back");
  }
  if (shared.store_full.load(std::memory_order_relaxed)) {
    return base::Refuse(base::Reason::kStoreFull,
                        "the store has reached its limit, or its disk is nearly full: delete futures, submit with a "
                        "shorter retention, or retry later");
  }
  const int64_t pending = usage.pending_futures.load(std::memory_order_relaxed);
  if (pending >= static_cast<int64_t>(limits.pending_futures_max)) {
    return base::Refuse(base::Reason::kTooManyFutures,
                        fmt::format("{} futures are not done, and the limit is {}: retry when some have ended", pending,
                                    limits.pending_futures_max));
  }
  const int64_t held = shared.namespaces.BytesHeld(command.ns);
  if (held >= static_cast<int64_t>(limits.namespace_bytes_max)) {
    return base::Refuse(
        base::Reason::kTooManyBytes,
        fmt::format("the namespace holds {} bytes, and the limit is {}: delete futures, or submit with a "
                    "shorter retention",
                    held, limits.namespace_bytes_max));
  }
  if (command.options != nullptr && !command.options->request_id.empty()) {
    uint64_t remembered = 0;
    for (const auto& count : shared.request_ids) remembered += count.load(std::memory_order_relaxed);
    if (remembered >= limits.request_ids_max) {
      return base::Refuse(
          base::Reason::kTooManyRequestIds,
          fmt::format("{} request ids are remembered, and the limit is {}: retry later, or ask for a shorter "
                      "request_id_ttl",
                      remembered, limits.request_ids_max));
    }
  }
  const auto* job = std::get_if<values::JobSpec>(&command.spec);
  if (job != nullptr && job->kind == values::FunctionKind::kBlocking) {
    // Those whose function nobody serves wait for no thread, and must not keep others from it.
    int64_t queued = usage.blocking_queued.load(std::memory_order_relaxed);
    for (const auto& runner : shared.runners) queued -= static_cast<int64_t>(runner->dispatcher().unserved_blocking());
    const uint64_t room = shared.options.blocking_queue_max;
    if (queued >= static_cast<int64_t>(room)) {
      return base::Refuse(
          base::Reason::kQueueFull,
          fmt::format("{} jobs wait for the blocking pool, and its queue holds {}: retry when some have "
                      "started",
                      queued, room));
    }
  }
  return absl::OkStatus();
}

}  // namespace

values::ShardIndex PlaceFor(ShardRunner& home, const core::Submit& command) {
  const Shared& shared = home.shared();
  if (command.options != nullptr && !command.options->request_id.empty()) {
    const uint64_t hash = StableHash(command.options->request_id, command.ns_tag + 0xcbf29ce484222325ull);
    return static_cast<values::ShardIndex>((hash ^ hash >> 32) % shared.options.shards);
  }
  if (const values::FutureId* member = FirstMember(command.spec)) return TargetShard(shared, *member);
  return home.home();
}

absl::Status Admit(Shared& shared, core::Submit& command) {
  absl::Status room = Room(shared, command);
  if (room.ok()) return room;
  if (command.options != nullptr && !command.options->request_id.empty()) {
    command.no_room = std::move(room);
    return absl::OkStatus();
  }
  CountRefused(shared, room);
  return room;
}

void CountRefused(Shared& shared, const absl::Status& refusal) {
  if (const auto reason = base::ReasonOf(refusal)) shared.observer.OnRefused(*reason);
}

coro::Task<absl::StatusOr<SubmitAnswer>> SubmitOn(ShardRunner& home, core::Submit command) {
  if (absl::Status room = Admit(home.shared(), command); !room.ok()) co_return room;
  Answer<core::Submitted> answer(home);
  command.token = answer.request();
  const values::ShardIndex shard = PlaceFor(home, command);
  home.Send(shard, std::move(command));
  co_await answer;
  const core::Submitted& submitted = answer.effect();
  if (!submitted.refusal.ok()) {
    CountRefused(home.shared(), submitted.refusal);
    co_return submitted.refusal;
  }
  SubmitAnswer result;
  result.id = submitted.id;
  result.state = submitted.state;
  result.deduplicated = submitted.deduplicated;
  co_return result;
}

}  // namespace muster::runtime
