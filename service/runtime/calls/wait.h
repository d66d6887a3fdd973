// A wait over the shards that hold its members: one core wait on each, and the merge.
//
// Threading: its loop. Lifetime: a local of the coroutine that waits; whatever it attached is detached by the end.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"

#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/coro/cancel.h"
#include "service/runtime/calls/by_shard.h"
#include "service/runtime/host/router.h"
#include "service/runtime/service.h"

namespace muster::runtime {

class MergedWait final : public coro::Suspension {
 public:
  MergedWait(const Router& router, coro::CancelToken& token, values::NamespaceId ns, ByShard members,
             values::ReturnWhen return_when, base::Instant deadline, bool take_outcomes);
  ~MergedWait() override;

  // Attaches to every shard. Then await it, and take the answer when that was OK.
  void Attach();
  bool await_ready() const { return finished_; }
  bool await_suspend(coro::Continuation waiter) { return Suspend(waiter); }
  absl::Status await_resume() { return Resume(); }
  absl::StatusOr<WaitAnswer> TakeAnswer();

 private:
  class Part final : public Receiver {
   public:
    Part(MergedWait& w, values::ShardIndex s, std::vector<values::FutureId> i) : wait(w), shard(s), ids(std::move(i)) {}
    void OnEffect(core::Effect&& effect) override {
      wait.OnPartEnded(*this, std::get<core::WaitEnded>(std::move(effect)));
    }
    void OnDrain(const absl::Status& refusal, bool) override { wait.OnDrain(refusal); }
    MergedWait& wait;
    const values::ShardIndex shard;
    const std::vector<values::FutureId> ids;
    core::Token token = core::kNoToken;  // while attached
    core::WaitEnded ended;
    bool has_ended = false;
  };

  void AttachPart(Part& part, base::Instant deadline);
  void DetachPart(Part& part);
  void OnPartEnded(Part& part, core::WaitEnded&& ended);
  void OnDrain(const absl::Status& refusal);
  bool SatisfiedBy(const core::WaitEnded& ended) const;
  // One part decided the wait: the others say where they stand now.
  void PollTheRest();
  void Finish();
  CancelReply OnCancel() override { return CancelReply::kWake; }

  const Router router_;
  const values::NamespaceId ns_;
  const values::ReturnWhen return_when_;
  const base::Instant deadline_;
  const bool take_outcomes_;
  std::vector<std::unique_ptr<Part>> parts_;
  size_t open_ = 0;
  bool polling_ = false;
  bool finished_ = false;
  absl::Status refusal_;
};

}  // namespace muster::runtime
