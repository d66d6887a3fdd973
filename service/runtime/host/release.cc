#include "service/runtime/host/release.h"

#include <iterator>
#include <utility>

#include "service/base/failpoint.h"

namespace muster::runtime {

Release::Release(executor::Loop& loop, LoopShards& shards, Outlet& outlet, Journal journal)
    : loop_(loop), shards_(shards), outlet_(outlet), journal_(std::move(journal)) {
  if (!journaled()) return;
  writer_.emplace();
  loop.AddTurnHook([this] { EndTurn(); });
}

void Release::NoteChanges(core::Shard& shard, values::ShardIndex index) {
  if (closed_ || !shard.HasChanges()) return;
  for (const values::ShardIndex known : changed_) {
    if (known == index) return;
  }
  changed_.push_back(index);
}

void Release::WhenDurable(DurableWaiter& waiter) {
  // What is asked for once the shards are frozen is in no batch, whatever becomes of the one under way.
  waiter.durable = !frozen_;
  if (!Undurable()) return loop_.Schedule(waiter);
  held_.emplace_back().waiter = &waiter;
}

void Release::TakeHome() {
  if (!std::exchange(written_, false)) return;
  committing_ = false;
  durable_batch_ = batch_;
  MoveTo(durable_, committed_);
  ScheduleRelease();
}

void Release::EndTurn() {
  TakeHome();
  // The next one is under way before anybody is told of that one: the disk does not wait for them.
  if (!committing_ && (!changed_.empty() || !held_.empty())) Seal();
}

void Release::Seal() {
  commit_.batch.Clear();
  const uint64_t batch = batch_ + 1;
  for (const values::ShardIndex index : changed_) {
    writer_->WriteTo(index, commit_.batch);
    shards_.At(index).TakeChanges(*writer_, batch);
  }
  changed_.clear();
  if (commit_.batch.empty()) {
    // All of it came and went within the turn. Those who wait hear of it between coroutines, as ever.
    if (!held_.empty()) ScheduleRelease();
    MoveTo(elided_, held_);
    return SayClosedIfDurable();
  }
  batch_ = batch;
  base::Failpoint("commit.sealed");
  committing_ = true;
  MoveTo(committed_, held_);
  journal_.committer->Submit(commit_);
}

void Release::OnWritten() {
  if (commit_.status.ok()) {
    written_ = true;
    return;
  }
  committing_ = false;
  journal_.on_failure();
  SayClosedIfDurable();  // whoever closes the journal may have begun to wait after the failure was known
}

void Release::ScheduleRelease() {
  if (!std::exchange(release_scheduled_, true)) loop_.Schedule(release_soon_);
}

void Release::OnReleaseSoon() {
  release_scheduled_ = false;
  if (!durable_.empty()) base::Failpoint("commit.released");
  LetOutAll(durable_);
  LetOutAll(elided_);
  SayClosedIfDurable();
}

void Release::MoveTo(std::vector<Held>& to, std::vector<Held>& from) {
  if (to.empty()) return to.swap(from);
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

void Release::LetOutAll(std::vector<Held>& held) {
  std::vector<Held> released;
  released.swap(held);
  const bool outermost = !std::exchange(releasing_, true);
  const size_t half = released.size() / 2;
  for (size_t at = 0; at < released.size(); ++at) {
    if (at == half) base::Failpoint("commit.half_released");
    if (released[at].waiter != nullptr) {
      loop_.Schedule(*released[at].waiter);
    } else {
      outlet_.LetOut(std::move(released[at].effect));
    }
  }
  if (outermost) releasing_ = false;
  released.clear();
  if (held.empty() && released.capacity() <= kKeptMax) held.swap(released);
}

void Release::Freeze(const absl::Status& refusal) {
  frozen_ = true;
  shards_.ForEach([&](values::ShardIndex, core::Shard& shard) { shard.Freeze(durable_batch_, refusal); });
}

void Release::Close(const absl::Status& refusal, std::function<void()> closed) {
  Freeze(refusal);
  when_closed_ = std::move(closed);
  SayClosedIfDurable();
}

void Release::SayClosedIfDurable() {
  if (!Undurable() && when_closed_) SayClosed();
}

void Release::SayClosed() {
  if (!when_closed_) return;
  closed_ = true;
  std::exchange(when_closed_, nullptr)();
}

bool Release::Fail() {
  if (std::exchange(failed_, true)) return false;
  TakeHome();  // it may be another loop's batch that was lost, in the turn in which ours came home
  closed_ = true;
  Freeze(StoreFailed());
  return true;
}

void Release::RefuseHeld() {
  // What is durable was decided before what is lost.
  LetOutAll(durable_);
  LetOutAll(elided_);
  std::vector<Held> lost = std::move(committed_);
  for (Held& held : held_) lost.push_back(std::move(held));
  committed_.clear();
  held_.clear();
  changed_.clear();
  for (Held& each : lost) {
    if (each.waiter == nullptr) {
      outlet_.Refuse(std::move(each.effect));
      continue;
    }
    each.waiter->durable = false;
    loop_.Schedule(*each.waiter);
  }
}

}  // namespace muster::runtime
