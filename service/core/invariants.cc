#include "service/base/check.h"
#include "service/core/detail/members.h"
#include "service/core/detail/shard_impl.h"

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

}  // namespace

void Shard::Impl::CheckFuture(const Future& future, ShardStats& seen) const {
  seen.futures += future.announced;
  seen.pending += future.announced && !future.done();
  seen.pins += future.pins;
  seen.timers += future.timer.armed();
  MUSTER_CHECK_EQ(future.done(), future.outcome != nullptr) << "an outcome and the end come together";
  MUSTER_CHECK_EQ(future.done(), future.completion_sequence != 0);
  MUSTER_CHECK(!future.on_path) << "a cancel has not left it";
  if (future.done()) {
    MUSTER_CHECK(future.links.empty()) << "done, and somebody has not been told";
    MUSTER_CHECK(!future.called) << "done, and a call is still attached";
    MUSTER_CHECK(future.open_await() == nullptr) << "done, and still awaiting";
    MUSTER_CHECK(future.input.content == nullptr) << "done, and still holding the input";
    const State expected = StateFor(*future.outcome);
    MUSTER_CHECK(future.state == expected) << "state and outcome disagree";
    MUSTER_CHECK(!future.expired || future.pins > 0 || future.doomed) << "nothing holds it";
  }
  MUSTER_CHECK_LE(0, future.bytes);
  uint64_t linked = 0;
  for (const Link& link : future.links) {
    CheckLink(link, future);
    ++linked;
  }
  MUSTER_CHECK_LE(linked, future.pins) << "each link pins";
  if (!future.cold) return;
  if (const AwaitLink* await = future.open_await()) {
    MUSTER_CHECK(future.state == State::kRunning) << "only a running body awaits";
    MUSTER_CHECK((await->member != nullptr) != await->remote.in_use);
    ++seen.links;
  }
  if (!future.cold->combinator) return;
  const Combinator& combinator = future.combinator();
  uint32_t settled = 0;
  for (uint32_t at = 0; at < combinator.count; ++at) {
    const MemberLink& member = combinator.members[at];
    seen.links += member.member != nullptr || member.remote.in_use;
    settled += member.settled;
    if (future.announced && !future.done()) {
      MUSTER_CHECK(member.member != nullptr || member.remote.in_use) << "a live combinator has lost a member";
      MUSTER_CHECK(IsDone(StateOf(member)) == member.settled) << "a combinator was not told";
    }
  }
  if (future.kind == FutureKind::kGather) {
    MUSTER_CHECK_EQ(settled, combinator.finished);
    MUSTER_CHECK(future.done() || !future.announced || settled < combinator.count) << "a gather was not ended";
  }
}

void Shard::Impl::CheckInvariants() const {
  MUSTER_CHECK(completed_.empty()) << "not drained";
  ShardStats seen;
  uint64_t last = 0;
  uint64_t listed = 0;
  uint64_t last_block = ~uint64_t{0};
  size_t block_heads = 0;
  for (const Future& future : created_) {
    MUSTER_CHECK_LT(last, future.sequence) << "not in order of creation";
    last = future.sequence;
    ++listed;
    const uint64_t block = future.sequence >> kBlockShift;
    MUSTER_CHECK_EQ(future.block_head, block != last_block) << "the index of creation is wrong";
    if (future.block_head) {
      const auto indexed = blocks_.find(block);
      MUSTER_CHECK(indexed != blocks_.end() && indexed->second == &future) << "the index of creation leads elsewhere";
      ++block_heads;
    }
    last_block = block;
    CheckFuture(future, seen);
  }
  MUSTER_CHECK_EQ(block_heads, blocks_.size()) << "the index of creation has more than there is";
  MUSTER_CHECK_EQ(listed, futures_.size());
  for (const auto& [token, opened] : open_) {
    if (opened.kind == Opened::Kind::kWait) {
      const Wait& wait = *static_cast<const Wait*>(opened.what);
      uint32_t undone = 0;
      for (uint32_t at = 0; at < wait.count; ++at) undone += !wait.links[at].member->done();
      MUSTER_CHECK_EQ(undone, wait.remaining) << "a wait's counter is off";
      MUSTER_CHECK_GT(undone, 0u) << "a wait was not ended";
      ++seen.waits;
      seen.links += wait.count;
      seen.timers += wait.timer.armed();
    } else if (opened.kind == Opened::Kind::kStream) {
      const Stream& stream = *static_cast<const Stream*>(opened.what);
      for (uint32_t at = 0; at < stream.count; ++at) seen.links += stream.links[at].member != nullptr;
      ++seen.streams;
      seen.timers += stream.timer.armed();
    } else if (opened.kind == Opened::Kind::kCall) {
      ++seen.calls;
    }
  }
  seen.links += remote_links_.size();
  const ShardStats stats = Stats();
  MUSTER_CHECK_EQ(seen.futures, stats.futures);
  MUSTER_CHECK_EQ(seen.pending, stats.pending);
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
