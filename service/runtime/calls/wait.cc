#include "service/runtime/calls/wait.h"

#include <iterator>
#include <utility>

namespace muster::runtime {

MergedWait::MergedWait(const Router& router, coro::CancelToken& token, values::NamespaceId ns, ByShard members,
                       values::ReturnWhen return_when, base::Instant deadline, bool take_outcomes)
    : Suspension(token),
      router_(router),
      ns_(ns),
      return_when_(return_when),
      deadline_(deadline),
      take_outcomes_(take_outcomes) {
  parts_.reserve(members.size());
  for (auto& [shard, ids] : members) parts_.push_back(std::make_unique<Part>(*this, shard, std::move(ids)));
}

MergedWait::~MergedWait() {
  for (auto& part : parts_) DetachPart(*part);
}

void MergedWait::Attach() {
  open_ = parts_.size();
  for (auto& part : parts_) {
    if (!finished_ && !polling_) AttachPart(*part, deadline_);
  }
}

void MergedWait::AttachPart(Part& part, base::Instant deadline) {
  part.token = router_.here().requests().Add(&part);
  core::AttachWait attach;
  attach.token = part.token;
  attach.ns = ns_;
  attach.set.ids = part.ids;
  attach.return_when = return_when_;
  attach.deadline = deadline;
  attach.take_outcomes = take_outcomes_;
  router_.Send(part.shard, std::move(attach));
}

void MergedWait::DetachPart(Part& part) {
  if (part.token == core::kNoToken) return;
  router_.here().requests().Remove(part.token);
  router_.Detach(part.shard, std::exchange(part.token, core::kNoToken));
}

bool MergedWait::SatisfiedBy(const core::WaitEnded& ended) const {
  switch (return_when_) {
    case values::ReturnWhen::kAllCompleted:
      return false;
    case values::ReturnWhen::kFirstCompleted:
      return !ended.done.empty();
    case values::ReturnWhen::kFirstException:
      return ended.saw_exception;
  }
  return false;
}

void MergedWait::OnPartEnded(Part& part, core::WaitEnded&& ended) {
  router_.here().requests().Remove(part.token);
  part.token = core::kNoToken;
  part.ended = std::move(ended);
  part.has_ended = true;
  --open_;
  if (!part.ended.refusal.ok()) {
    if (refusal_.ok()) refusal_ = part.ended.refusal;
    Finish();
    return;
  }
  const bool decides = part.ended.end == core::WaitEnd::kTimedOut || SatisfiedBy(part.ended);
  if (open_ == 0) {
    Finish();
  } else if (decides && !polling_) {
    PollTheRest();
  }
}

void MergedWait::PollTheRest() {
  polling_ = true;
  for (auto& part : parts_) {
    if (part->has_ended) continue;
    DetachPart(*part);
    AttachPart(*part, base::Instant::min());
  }
}

void MergedWait::OnDrain(const absl::Status& refusal) {
  if (finished_) return;
  refusal_ = refusal;
  Finish();
}

void MergedWait::Finish() {
  if (finished_) return;
  finished_ = true;
  if (suspended()) Wake();
}

absl::StatusOr<WaitAnswer> MergedWait::TakeAnswer() {
  if (!refusal_.ok()) return refusal_;
  WaitAnswer answer;
  bool satisfied = false;
  for (auto& part : parts_) {
    core::WaitEnded& ended = part->ended;
    satisfied = satisfied || SatisfiedBy(ended);
    if (parts_.size() == 1) {
      answer.done = std::move(ended.done);
      answer.pending = std::move(ended.pending);
      break;
    }
    std::move(ended.done.begin(), ended.done.end(), std::back_inserter(answer.done));
    answer.pending.insert(answer.pending.end(), ended.pending.begin(), ended.pending.end());
  }
  // Looked at as a whole: in one shard time may have run out while another had what was waited for.
  answer.timed_out = !satisfied && !answer.pending.empty();
  return answer;
}

}  // namespace muster::runtime
