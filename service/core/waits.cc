// asyncio.wait: one counter, one link a member (semantics 23-36).
#include <algorithm>

#include "service/base/check.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {

void Shard::Impl::AttachWait(const core::AttachWait& command) {
  Resolved resolved = Resolve(command.ns, command.set, false);
  if (!resolved.refusal.ok()) {
    WaitEnded ended;
    ended.token = command.token;
    ended.refusal = std::move(resolved.refusal);
    return Emit(std::move(ended));
  }
  const std::vector<Future*>& members = resolved.members;
  size_t done = 0;
  bool failed = false;
  for (const Future* member : members) {
    done += member->done();
    failed = failed || member->state == State::kFailed;
  }
  const bool satisfied = done == members.size() || (command.return_when == ReturnWhen::kFirstCompleted && done > 0) ||
                         (command.return_when == ReturnWhen::kFirstException && failed);  // semantics 30, 31, 33
  if (satisfied) return ReportWait(command.token, WaitEnd::kSatisfied, command.take_outcomes, members);
  if (command.deadline <= now_) {
    return ReportWait(command.token, WaitEnd::kTimedOut, command.take_outcomes, members);  // semantics 28
  }
  auto* wait = new Wait;
  wait->token = command.token;
  wait->return_when = command.return_when;
  wait->take_outcomes = command.take_outcomes;
  wait->count = static_cast<uint32_t>(members.size());
  wait->remaining = static_cast<uint32_t>(members.size() - done);
  wait->links.reset(new WaitLink[wait->count]);
  for (uint32_t at = 0; at < wait->count; ++at) {
    wait->links[at].wait = wait;
    Connect(wait->links[at], *members[at]);
  }
  if (command.deadline != base::kNever) timers_.Add(wait->timer, command.deadline);
  ++waits_;
  MUSTER_CHECK(command.token != kNoToken) << "a wait needs a token";
  Open(command.token, Opened::Kind::kWait, wait);
}

void Shard::Impl::WaitMemberDone(Wait& wait, const Future& member) {
  --wait.remaining;
  const bool satisfied = wait.remaining == 0 || wait.return_when == ReturnWhen::kFirstCompleted ||
                         (wait.return_when == ReturnWhen::kFirstException && member.state == State::kFailed);
  if (satisfied) EndWait(wait, WaitEnd::kSatisfied);
}

void Shard::Impl::EndWait(Wait& wait, WaitEnd end) {
  std::vector<Future*> members;
  members.reserve(wait.count);
  for (uint32_t at = 0; at < wait.count; ++at) members.push_back(wait.links[at].member);
  ReportWait(wait.token, end, wait.take_outcomes, members);
  CloseWait(wait);
}

// All that are done now, in the order in which they were: more than one for FIRST_COMPLETED, if so many were done
// before anybody could be told (semantics 29).
void Shard::Impl::ReportWait(Token token, WaitEnd end, bool take_outcomes, const std::vector<Future*>& members) {
  WaitEnded ended;
  ended.token = token;
  ended.end = end;
  std::vector<Future*> done;
  for (Future* member : members) {
    if (member->done()) {
      done.push_back(member);
      ended.saw_exception = ended.saw_exception || member->state == State::kFailed;
    } else {
      ended.pending.push_back(IdOf(*member));
    }
  }
  std::sort(done.begin(), done.end(),
            [](const Future* a, const Future* b) { return a->completion_sequence < b->completion_sequence; });
  ended.done.reserve(done.size());
  for (Future* member : done) ended.done.push_back(CompletionOf(*member, take_outcomes));
  Emit(std::move(ended));
}

// semantics 36: nothing stays behind.
void Shard::Impl::CloseWait(Wait& wait) {
  for (uint32_t at = 0; at < wait.count; ++at) Release(wait.links[at]);
  timers_.Remove(wait.timer);
  open_.erase(wait.token);
  --waits_;
  delete &wait;
}

}  // namespace muster::core
