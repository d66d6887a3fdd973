#include "service/runtime/calls/call.h"

#include <utility>
#include <variant>

namespace muster::runtime {
namespace {

SubmitAnswer ToSubmitAnswer(const core::Submitted& submitted) {
  SubmitAnswer answer;
  answer.id = submitted.id;
  answer.state = submitted.state;
  answer.deduplicated = submitted.deduplicated;
  return answer;
}

}  // namespace

CallAnswer::CallAnswer(const Router& router, coro::CancelToken& token)
    : Suspension(token), router_(router), request_(router.here().requests().Add(this)) {}

CallAnswer::~CallAnswer() { router_.here().requests().Remove(request_); }

void CallAnswer::OnEffect(core::Effect&& effect) {
  if (auto* submitted = std::get_if<core::Submitted>(&effect)) {
    refusal_ = submitted->refusal;
    id_ = submitted->id;
    if (!refusal_.ok() || left_) Finish();
    return;
  }
  completion_ = std::move(std::get<core::CallEnded>(effect).completion);
  Finish();
}

void CallAnswer::OnDrain(const absl::Status& refusal, bool last_step) {
  if (!last_step || ended()) return;
  refusal_ = refusal;
  Finish();
}

void CallAnswer::Finish() {
  if (suspended()) Wake();
}

CallAnswer::CancelReply CallAnswer::OnCancel() {
  if (id_ || ended()) return CancelReply::kWake;
  left_ = true;
  return CancelReply::kForwarded;
}

AttachedCall::AttachedCall(const Router& router, values::ShardIndex shard, CallReceiver* receiver)
    : router_(router), shard_(shard), receiver_(receiver), request_(router.here().requests().Add(this)) {}

AttachedCall::~AttachedCall() {
  router_.here().requests().Remove(request_);
  if (ended_flag_ != nullptr) *ended_flag_ = true;
}

// In each branch this object goes before its receiver hears the last word, which may submit again at once.
void AttachedCall::OnEffect(core::Effect&& effect) {
  CallReceiver* const receiver = receiver_;
  if (auto* submitted = std::get_if<core::Submitted>(&effect)) {
    if (submitted->refusal.ok()) {
      receiver->OnAccepted(ToSubmitAnswer(*submitted));
      return;
    }
    router_.here().admission().CountRefused(submitted->refusal);
    delete this;
    receiver->OnRejected(submitted->refusal);
    return;
  }
  core::Completion completion = std::move(std::get<core::CallEnded>(effect).completion);
  delete this;
  receiver->OnDone(std::move(completion));
}

void AttachedCall::OnDrain(const absl::Status& refusal, bool last_step) {
  if (!last_step) return;
  CallReceiver* const receiver = receiver_;
  router_.Detach(shard_, request_);
  delete this;
  receiver->OnRejected(refusal);
}

}  // namespace muster::runtime
