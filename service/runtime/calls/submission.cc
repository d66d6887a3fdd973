#include "service/runtime/calls/submission.h"

#include <string_view>
#include <utility>
#include <variant>

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

}  // namespace

values::ShardIndex PlaceFor(const Router& router, const core::Submit& command) {
  if (command.options != nullptr && !command.options->request_id.empty()) {
    const uint64_t hash = StableHash(command.options->request_id, command.ns_tag + 0xcbf29ce484222325ull);
    return static_cast<values::ShardIndex>((hash ^ hash >> 32) % router.shards());
  }
  if (const values::FutureId* member = FirstMember(command.spec)) return router.ShardOf(*member);
  return router.here().home();
}

coro::Task<absl::StatusOr<SubmitAnswer>> SubmitOn(Router router, core::Submit command) {
  Admission& admission = router.here().admission();
  if (absl::Status room = admission.Admit(command); !room.ok()) co_return room;
  const values::ShardIndex shard = PlaceFor(router, command);
  auto asked = router.Ask(shard, std::move(command));
  const core::Submitted& submitted = co_await asked;
  if (!submitted.refusal.ok()) {
    admission.CountRefused(submitted.refusal);
    co_return submitted.refusal;
  }
  SubmitAnswer result;
  result.id = submitted.id;
  result.state = submitted.state;
  result.deduplicated = submitted.deduplicated;
  co_return result;
}

}  // namespace muster::runtime
