#include "service/core/invariants.h"

#include "service/base/check.h"
#include "service/core/completion.h"
#include "service/core/futures/views.h"
#include "service/core/kinds/kind.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

void CheckLink(const Link& link, const Future& member) {
  MUSTER_CHECK(link.member == &member) << "a link leads elsewhere";
  switch (link.kind) {
    case Link::Kind::kWait:
      MUSTER_CHECK(static_cast<const WaitLink&>(link).wait != nullptr);
      return;
    case Link::Kind::kStream:
      MUSTER_CHECK(static_cast<const StreamLink&>(link).stream != nullptr);
      return;
    case Link::Kind::kMember:
      MUSTER_CHECK(!static_cast<const MemberLink&>(link).settled) << "a settled member is still linked";
      return;
    case Link::Kind::kAwait:
      MUSTER_CHECK(static_cast<const AwaitLink&>(link).open) << "a closed await is still linked";
      return;
    case Link::Kind::kRemote:
      return;
  }
}

void CheckDone(const Future& future) {
  MUSTER_CHECK(future.links.empty()) << "done, and somebody has not been told";
  MUSTER_CHECK(!future.called) << "done, and a call is still attached";
  MUSTER_CHECK(future.open_await() == nullptr) << "done, and still awaiting";
  MUSTER_CHECK(future.input.content == nullptr) << "done, and still holding the input";
  MUSTER_CHECK(future.state == StateFor(*future.outcome)) << "state and outcome disagree";
  MUSTER_CHECK(!future.expired || future.pins > 0 || future.doomed) << "nothing holds it";
}

void CheckFuture(const Future& future, ShardStats& seen) {
  seen.pins += future.pins;
  seen.timers += future.armed();
  MUSTER_CHECK_EQ(future.done(), future.outcome != nullptr) << "an outcome and the end come together";
  MUSTER_CHECK_EQ(future.done(), future.completion_sequence != 0);
  MUSTER_CHECK(!future.on_path) << "a cancel has not left it";
  if (future.done()) CheckDone(future);
  MUSTER_CHECK_LE(0, future.bytes);
  uint64_t linked = 0;
  for (const Link& link : future.links) {
    CheckLink(link, future);
    ++linked;
  }
  MUSTER_CHECK_LE(linked, future.pins) << "each link pins";
  if (!future.cold) return;
  seen.links += future.open_await() != nullptr;
  if (const Combinator* combinator = future.combinator_or_null()) {
    for (uint32_t at = 0; at < combinator->count; ++at) {
      const MemberLink& member = combinator->members[at];
      seen.links += member.member != nullptr || member.remote.in_use;
    }
  }
  if (const auto check = KindOf(future.kind).check) check(future);
}

}  // namespace

void CheckInvariants(const Turn& turn) {
  MUSTER_CHECK(turn.completed.empty()) << "not drained";
  ShardStats seen;
  turn.futures.CheckInvariants([&seen](const Future& future) { CheckFuture(future, seen); });
  turn.interest.open.CheckInvariants(seen);
  turn.interest.remotes.CheckInvariants(seen);
  const ShardStats stats = Look(turn, GetStats());
  MUSTER_CHECK_EQ(seen.waits, stats.waits);
  MUSTER_CHECK_EQ(seen.streams, stats.streams);
  MUSTER_CHECK_EQ(seen.calls, stats.calls);
  MUSTER_CHECK_EQ(seen.links, stats.links);
  MUSTER_CHECK_EQ(seen.pins, stats.pins);
  MUSTER_CHECK_LE(stats.pins, stats.links);
  MUSTER_CHECK_LE(seen.timers, stats.timers);
  MUSTER_CHECK_LE(stats.timers, seen.timers + stats.request_ids);
}

}  // namespace muster::core
