// ShardRunner's side of the journal: what is held back until it is durable, and what happens when it never will be.
#include <utility>

#include "service/base/check.h"
#include "service/base/failpoint.h"
#include "service/base/mutex.h"
#include "service/base/reason.h"
#include "service/runtime/shard_runner.h"

namespace muster::runtime {
namespace {

// Jobs that are started in one turn while the server takes up its work.
constexpr size_t kResumedAtOnce = 256;

// Made anew for whoever is told: a status that several loops hold copies of is freed under a count that lies in the
// packaged Abseil, where the thread sanitizer cannot see it.
absl::Status StoreFailed() {
  return base::Refuse(base::Reason::kStoreFailed,
                      "the server's disk has failed, and nothing is acknowledged any more. Whether this was recorded "
                      "is not known: ask again, with the same request id, when the server is back");
}

}  // namespace

void ShardRunner::NoteChanges(core::Shard& shard, values::ShardIndex index) {
  if (closed_ || !shard.HasChanges()) return;
  for (const values::ShardIndex known : changed_) {
    if (known == index) return;
  }
  changed_.push_back(index);
}

void ShardRunner::Hold(core::Effect&& effect) {
  Held& held = held_.emplace_back();
  held.effect = std::move(effect);
}

void ShardRunner::WhenDurable(DurableWaiter& waiter) {
  // What is asked for once the shards are frozen is in no batch, whatever becomes of the one under way.
  waiter.durable = !frozen_;
  if (!Undurable()) return loop_.Schedule(waiter);
  held_.emplace_back().waiter = &waiter;
}

void ShardRunner::EndTurn() {
  if (!committing_ && (!changed_.empty() || !held_.empty())) Seal();
}

void ShardRunner::Seal() {
  commit_.batch.Clear();
  const uint64_t batch = batch_ + 1;
  for (const values::ShardIndex index : changed_) {
    writer_->WriteTo(index, commit_.batch);
    ShardAt(index).TakeChanges(*writer_, batch);
  }
  changed_.clear();
  if (commit_.batch.empty()) {
    // All of it came and went within the turn. Those who wait hear of it between coroutines, as ever.
    if (elided_.empty() && !held_.empty()) loop_.Schedule(release_soon_);
    for (Held& held : held_) elided_.push_back(std::move(held));
    held_.clear();
    return SayClosed();
  }
  batch_ = batch;
  base::Failpoint("commit.sealed");
  committing_ = true;
  committed_ = std::move(held_);
  held_.clear();
  committer_->Submit(commit_);
}

void ShardRunner::OnWritten() {
  committing_ = false;
  if (!commit_.status.ok()) {
    OnJournalFailed();
    return SayClosed();  // whoever closes the journal may have begun to wait after the failure was known
  }
  durable_batch_ = batch_;
  std::vector<Held> released = std::move(committed_);
  committed_.clear();
  // The next one is under way before anybody is told of this one: the disk does not wait for them.
  EndTurn();
  base::Failpoint("commit.released");
  Release(released);
  SayClosed();
}

void ShardRunner::SayClosed() {
  if (!Undurable() && when_closed_) std::exchange(when_closed_, nullptr)();
}

void ShardRunner::Release(std::vector<Held>& held) {
  std::vector<Held> released = std::move(held);
  held.clear();
  const bool outermost = !std::exchange(releasing_, true);
  const size_t half = released.size() / 2;
  for (size_t at = 0; at < released.size(); ++at) {
    if (at == half) base::Failpoint("commit.half_released");
    if (released[at].waiter != nullptr) {
      loop_.Schedule(*released[at].waiter);
    } else {
      LetOut(std::move(released[at].effect));
    }
  }
  if (outermost) releasing_ = false;
}

void ShardRunner::OnJournalFailed() {
  if (std::exchange(failed_, true)) return;
  closed_ = true;
  Freeze(StoreFailed());
  dispatcher_.CancelAll("the server's disk has failed");
  std::vector<Held> lost = std::move(committed_);
  for (Held& held : held_) lost.push_back(std::move(held));
  committed_.clear();
  held_.clear();
  changed_.clear();
  Refuse(lost);
  // Somebody on another loop may have asked these shards after that loop had heard of the failure and before this one
  // did: so each loop, once it is frozen, has all who wait anywhere told.
  for (auto& runner : shared_.runners) {
    runner->loop_.Post([&r = *runner] {
      const absl::Status refusal = StoreFailed();
      r.requests_.ForEach([&](Receiver& receiver) { receiver.OnDrain(refusal, /*last_step=*/true); });
    });
  }
  if (when_closed_) std::exchange(when_closed_, nullptr)();
}

void ShardRunner::Freeze(absl::Status refusal) {
  frozen_ = true;
  for (auto& shard : shards_) shard->Freeze(durable_batch_, refusal);
}

void ShardRunner::Refuse(std::vector<Held>& held) {
  for (Held& each : held) {
    if (each.waiter != nullptr) {
      each.waiter->durable = false;
      loop_.Schedule(*each.waiter);
      continue;
    }
    const core::Token token = TokenOf(each.effect);
    if (token == core::kNoToken) continue;  // a message to another shard
    const uint8_t loop = RequestTable::LoopOf(token);
    ShardRunner& asker = loop == index_ ? *this : *shared_.runners[loop];
    core::Effect refused;
    std::visit(
        [&](auto& effect) {
          using E = std::decay_t<decltype(effect)>;
          if constexpr (requires { effect.refusal; }) {
            E answer;
            answer.token = token;
            if constexpr (requires { answer.job; }) answer.job = effect.job;
            answer.refusal = StoreFailed();
            refused = std::move(answer);
          } else {
            // Of a call or a stream that has been answered before: its receiver is told below, or on its own loop,
            // whose shards are frozen for the same reason.
            refused = std::move(effect);
          }
        },
        each.effect);
    const bool answers = std::visit([](const auto& effect) { return requires { effect.refusal; }; }, refused);
    if (!answers) {
      asker.loop_.Post([&asker, token] {
        if (Receiver* receiver = asker.requests_.Find(token)) receiver->OnDrain(StoreFailed(), /*last_step=*/true);
      });
      continue;
    }
    asker.loop_.Post([&asker, token, moved = std::move(refused)]() mutable { asker.Deliver(token, std::move(moved)); });
  }
}

void ShardRunner::Resume() {
  if (frozen_) return;  // the server ends before it has begun; the jobs start when it is back
  bool more = false;
  size_t left = kResumedAtOnce;
  ForEachShard([&](values::ShardIndex index, core::Shard& shard) {
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
  ArmFor(NextDeadline());
  if (more) loop_.Post([this] { Resume(); });
}

void ShardRunner::FlushBlocking() {
  dispatch::BlockingWaiter waiter;
  loop_.Post([this, &waiter] {
    // Those of a recovery too, which went by the shards alone.
    ForEachShard([this](values::ShardIndex index, core::Shard& shard) { NoteChanges(shard, index); });
    WhenDurable(waiter);
  });
  waiter.WaitBlocking();
}

void ShardRunner::CloseJournalBlocking() {
  base::Mutex mutex;
  base::CondVar changed;
  bool closed = false;
  loop_.Post([&] {
    // What happens from here on is recorded no more; what has happened is waited for.
    Freeze(base::Refuse(base::Reason::kDraining, "the server is shutting down: ask again when it is back"));
    const auto say = [&] {
      base::MutexLock lock(mutex);
      closed = true;
      changed.NotifyAll();
    };
    if (!Undurable()) {
      closed_ = true;
      return say();
    }
    when_closed_ = [this, say] {
      closed_ = true;
      say();
    };
  });
  base::MutexLock lock(mutex);
  while (!closed) changed.Wait(mutex);
}

}  // namespace muster::runtime
