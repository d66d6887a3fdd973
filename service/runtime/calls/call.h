// A submission whose end its submitter awaits: by a coroutine (Call) or by a receiver (Run).
#pragma once

#include <optional>
#include <string>

#include "service/base/block_pool.h"
#include "service/coro/cancel.h"
#include "service/runtime/host/router.h"
#include "service/runtime/service.h"

namespace muster::runtime {

// Awaited by Service::Call. A cancel that comes before the submit has been answered waits for that answer: until then
// there is nothing to detach from.
class CallAnswer final : public coro::Suspension, public Receiver {
 public:
  CallAnswer(const Router& router, coro::CancelToken& token);
  ~CallAnswer() override;

  core::Token request() const { return request_; }
  bool await_ready() const { return ended(); }
  bool await_suspend(coro::Continuation waiter) { return Suspend(waiter); }
  // OK also when the call was refused, ended by a drain or detached: look at those.
  absl::Status await_resume() { return Resume(); }

  const absl::Status& refusal() const { return refusal_; }
  values::FutureId id() const { return id_; }
  bool has_completion() const { return completion_.has_value(); }
  core::Completion& completion() { return *completion_; }

 private:
  bool ended() const { return completion_.has_value() || !refusal_.ok(); }
  void OnEffect(core::Effect&& effect) override;
  void OnDrain(const absl::Status& refusal, bool last_step) override;
  CancelReply OnCancel() override;
  void Finish();

  const Router router_;
  const core::Token request_;
  values::FutureId id_;
  absl::Status refusal_;
  std::optional<core::Completion> completion_;
  bool left_ = false;  // cancelled before it was accepted
};

// Made by Service::SubmitAttached; deletes itself with the last word to its receiver.
class AttachedCall final : public Receiver, public base::Pooled {
 public:
  AttachedCall(const Router& router, values::ShardIndex shard, CallReceiver* receiver);
  ~AttachedCall() override;

  core::Token request() const { return request_; }
  values::ShardIndex shard() const { return shard_; }
  // Set by SubmitAttached while it is on the stack.
  void set_ended_flag(bool* flag) { ended_flag_ = flag; }

 private:
  void OnEffect(core::Effect&& effect) override;
  void OnDrain(const absl::Status& refusal, bool last_step) override;

  const Router router_;
  const values::ShardIndex shard_;
  CallReceiver* const receiver_;
  const core::Token request_;
  bool* ended_flag_ = nullptr;
};

}  // namespace muster::runtime
