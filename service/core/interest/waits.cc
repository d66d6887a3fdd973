#include "service/core/interest/waits.h"

#include <algorithm>
#include <utility>

#include "service/base/check.h"
#include "service/core/completion.h"
#include "service/core/turn.h"

namespace muster::core {

void Apply(Turn& turn, const core::AttachWait& command) {
  Resolved resolved = turn.futures.Resolve(command.ns, command.set, false);
  if (!resolved.refusal.ok()) {
    WaitEnded ended;
    ended.token = command.token;
    ended.refusal = std::move(resolved.refusal);
    return turn.Emit(std::move(ended));
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
  if (satisfied) return ReportWait(turn, command.token, WaitEnd::kSatisfied, command.take_outcomes, members);
  if (command.deadline <= turn.now) {
    return ReportWait(turn, command.token, WaitEnd::kTimedOut, command.take_outcomes, members);  // semantics 28
  }
  auto made = std::make_unique<Wait>();
  Wait& wait = *made;
  wait.token = command.token;
  wait.return_when = command.return_when;
  wait.take_outcomes = command.take_outcomes;
  wait.count = static_cast<uint32_t>(members.size());
  wait.remaining = static_cast<uint32_t>(members.size() - done);
  wait.links.reset(new WaitLink[wait.count]);
  for (uint32_t at = 0; at < wait.count; ++at) {
    wait.links[at].wait = &wait;
    turn.interest.links.Connect(wait.links[at], *members[at]);
  }
  if (command.deadline != base::kNever) turn.timers.Add(wait, command.deadline);
  MUSTER_CHECK(command.token != kNoToken) << "a wait needs a token";
  turn.interest.open.Add(command.token, std::move(made));
}

void WaitMemberDone(Turn& turn, Wait& wait, const Future& member) {
  --wait.remaining;
  const bool satisfied = wait.remaining == 0 || wait.return_when == ReturnWhen::kFirstCompleted ||
                         (wait.return_when == ReturnWhen::kFirstException && member.state == State::kFailed);
  if (satisfied) EndWait(turn, wait, WaitEnd::kSatisfied);
}

void EndWait(Turn& turn, Wait& wait, WaitEnd end) {
  std::vector<Future*> members;
  members.reserve(wait.count);
  for (uint32_t at = 0; at < wait.count; ++at) members.push_back(wait.links[at].member);
  ReportWait(turn, wait.token, end, wait.take_outcomes, members);
  CloseWait(turn, wait);
}

// All that are done now, in the order in which they were: more than one for FIRST_COMPLETED, if so many were done
// before anybody could be told (semantics 29).
void ReportWait(Turn& turn, Token token, WaitEnd end, bool take_outcomes, const std::vector<Future*>& members) {
  WaitEnded ended;
  ended.token = token;
  ended.end = end;
  std::vector<Future*> done;
  for (Future* member : members) {
    if (member->done()) {
      done.push_back(member);
      ended.saw_exception = ended.saw_exception || member->state == State::kFailed;
    } else {
      ended.pending.push_back(turn.futures.IdOf(*member));
    }
  }
  std::sort(done.begin(), done.end(),
            [](const Future* a, const Future* b) { return a->completion_sequence < b->completion_sequence; });
  ended.done.reserve(done.size());
  for (Future* member : done) ended.done.push_back(CompletionOf(turn, *member, take_outcomes));
  turn.Emit(std::move(ended));
}

void CloseWait(Turn& turn, Wait& wait) {
  for (uint32_t at = 0; at < wait.count; ++at) turn.interest.links.Release(wait.links[at], turn.doomed);
  turn.timers.Remove(wait);
  turn.interest.open.Erase(Token(wait.token));
}

void CheckWait(const Wait& wait, ShardStats& seen) {
  uint32_t undone = 0;
  for (uint32_t at = 0; at < wait.count; ++at) undone += !wait.links[at].member->done();
  MUSTER_CHECK_EQ(undone, wait.remaining) << "a wait's counter is off";
  MUSTER_CHECK_GT(undone, 0u) << "a wait was not ended";
  ++seen.waits;
  seen.links += wait.count;
  seen.timers += wait.armed();
}

}  // namespace muster::core
