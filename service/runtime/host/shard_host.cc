#include "service/runtime/host/shard_host.h"

#include <memory>
#include <variant>

#include "service/base/check.h"
#include "service/base/reason.h"

namespace muster::runtime {
namespace {

// Jobs that are started in one turn while the server takes up its work.
constexpr size_t kResumedAtOnce = 256;

Release::Journal JournalOf(const ShardHost::Surroundings& around, std::function<void()> on_failure) {
  Release::Journal journal;
  if (around.committer == nullptr) return journal;
  journal.committer = around.committer;
  journal.on_failure = std::move(on_failure);
  return journal;
}

}  // namespace

ShardHost::ShardHost(const Surroundings& surroundings, executor::Loop& loop, uint8_t index)
    : dispatch::Host(loop, surroundings.options.incarnation),
      coro::Timer(&OnTimer),
      around_(surroundings),
      index_(index),
      shards_(surroundings.options, index, surroundings.hosts.loops()),
      outlet_(index, surroundings.hosts),
      release_(loop, shards_, outlet_, JournalOf(surroundings, [this] { OnJournalFailed(); })),
      dispatcher_(*this, surroundings.directory, surroundings.pool_room, surroundings.hosts.loops()) {
  MUSTER_CHECK(&loop.clock() == &surroundings.clock) << "a loop of the service has another clock";
}

ShardHost::~ShardHost() {
  if (armed_for_ != base::kNever) loop_.RemoveTimer(*this);  // the loop has stopped and still exists
}

// --- Timers ----------------------------------------------------------------------------------------------------------

void ShardHost::OnTimer(coro::Timer& timer) {
  auto& self = static_cast<ShardHost&>(timer);
  self.armed_for_ = base::kNever;
  self.Tick();
}

void ShardHost::Tick(bool only_earliest) {
  const base::Instant now = ReadTime();
  const base::Instant earliest = shards_.NextDeadline();
  shards_.ForEach([&](values::ShardIndex index, core::Shard& shard) {
    const base::Instant due = shard.NextDeadline();
    if (due > now || (only_earliest && due > earliest)) return;
    shard.Tick(now, effects_, only_earliest);
    CountRequestIds(index);
    Carry(shard, index);
  });
  ArmFor(shards_.NextDeadline());
}

void ShardHost::ArmFor(base::Instant deadline) {
  if (deadline >= armed_for_) return;
  if (armed_for_ != base::kNever) loop_.RemoveTimer(*this);
  armed_for_ = deadline;
  loop_.AddTimer(*this, deadline);
}

// --- Effects ---------------------------------------------------------------------------------------------------------

void ShardHost::Carry(core::Shard& touched, values::ShardIndex index) {
  ArmFor(touched.NextDeadline());
  release_.Note(touched, index);
  if (carries_) return;  // whoever carries further down the stack will come to the new effects
  carries_ = true;
  while (!effects_.empty()) {
    carrying_.swap(effects_);  // in place, while what they cause gathers
    for (core::Effect& effect : carrying_) CarryOut(std::move(effect));
    carrying_.clear();
  }
  carries_ = false;
}

void ShardHost::CarryOut(core::Effect&& effect) {
  if (auto* changed = std::get_if<core::Changed>(&effect)) return OnChanged(*changed);
  if (auto* start = std::get_if<core::StartJob>(&effect)) return dispatcher_.Start(std::move(*start));
  if (auto* withdraw = std::get_if<core::WithdrawJob>(&effect)) return dispatcher_.Withdraw(*withdraw);
  if (auto* cancel = std::get_if<core::CancelJob>(&effect)) return dispatcher_.Cancel(*cancel);
  if (auto* dropped = std::get_if<core::Dropped>(&effect)) return OnDropped(*dropped);
  if (auto* expired = std::get_if<core::GraceExpired>(&effect)) return around_.observer.OnGraceExpired(*expired);
  release_.Take(std::move(effect));
}

void ShardHost::OnChanged(const core::Changed& change) {
  const bool waits_for_pool = change.kind == values::FutureKind::kJob &&
                              around_.directory.At(change.function).kind == values::FunctionKind::kBlocking;
  around_.admission.OnChanged(change, waits_for_pool);
  around_.namespaces.AddBytes(change.ns, change.bytes_held);
  around_.observer.OnChanged(change, now_);
}

void ShardHost::OnDropped(const core::Dropped& drop) {
  around_.namespaces.AddBytes(drop.ns, drop.bytes_held);
  around_.observer.OnDropped(drop);
}

// --- Beginning and end -----------------------------------------------------------------------------------------------

void ShardHost::Resume() {
  if (frozen()) return;  // the server ends before it has begun; the jobs start when it is back
  bool more = false;
  size_t left = kResumedAtOnce;
  shards_.ForEach([&](values::ShardIndex index, core::Shard& shard) {
    if (left == 0) {
      more = true;
      return;
    }
    if (shard.Resume(left, TurnTime(), effects_)) {
      more = true;
      left = 0;
    }
    Carry(shard, index);
  });
  ArmFor(shards_.NextDeadline());
  if (more) loop_.Post([this] { Resume(); });
}

void ShardHost::Flush(std::function<void()> flushed) {
  struct Flushed final : DurableWaiter {
    explicit Flushed(std::function<void()> t)
        : DurableWaiter([](coro::Runnable& self) {
            const std::unique_ptr<Flushed> own(&static_cast<Flushed&>(self));
            own->then();
          }),
          then(std::move(t)) {}
    ~Flushed() = default;
    const std::function<void()> then;
  };
  // Those of a recovery too, which went by the shards alone.
  shards_.ForEach([this](values::ShardIndex index, core::Shard& shard) { release_.Note(shard, index); });
  WhenDurable(*new Flushed(std::move(flushed)));
}

void ShardHost::OnJournalFailed() {
  if (!release_.Fail()) return;
  dispatcher_.CancelAll("the server's disk has failed");
  release_.RefuseHeld();
  // Somebody on another loop may have asked these shards after that loop had heard of the failure and before this one
  // did: so each loop, once it is frozen, has all who wait anywhere told.
  for (const auto& host : around_.hosts) {
    host->loop().Post([&h = *host] { h.outlet().TellAll(StoreFailed(), /*last_step=*/true); });
  }
  release_.SayClosed();
}

void ShardHost::Drain(bool last_step) {
  outlet_.TellAll(base::Refuse(base::Reason::kDraining,
                               "the server is shutting down: ask again when it is back, with the same ids"),
                  last_step);
}

}  // namespace muster::runtime
