#include "service/core/frozen.h"

#include "service/core/door/effect.h"
#include "service/core/interest/awaits.h"
#include "service/core/interest/detach.h"
#include "service/core/interest/waits.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

template <typename Answer>
void RefuseWith(Turn& turn, Token token) {
  Answer answer;
  answer.token = token;
  answer.refusal = turn.frozen.refusal();
  turn.Emit(std::move(answer));
}

}  // namespace

absl::Status CheckReadable(const Turn& turn) {
  if (!turn.frozen.on()) return absl::OkStatus();
  const bool behind = turn.changes.taken_batch() > turn.frozen.durable_batch() || turn.changes.AnyToSee();
  return behind ? turn.frozen.refusal() : absl::OkStatus();
}

void WhileFrozen(Turn& turn, const Submit& command) { RefuseWith<Submitted>(turn, command.token); }
void WhileFrozen(Turn& turn, const SettlePromise& command) { RefuseWith<PromiseSettled>(turn, command.token); }
void WhileFrozen(Turn& turn, const Cancel& command) { RefuseWith<CancelAnswered>(turn, command.token); }
void WhileFrozen(Turn& turn, const Delete& command) { RefuseWith<Deleted>(turn, command.token); }
void WhileFrozen(Turn& turn, const AttachStream& command) { RefuseWith<StreamAttached>(turn, command.token); }
void WhileFrozen(Turn& turn, const Await& command) { RefuseAwait(turn, command, turn.frozen.refusal()); }
void WhileFrozen(Turn& turn, const Detach& command) { Apply(turn, command); }

// What was done, and recorded, before may be seen; what is not done will not be.
void WhileFrozen(Turn& turn, const AttachWait& command) {
  Resolved resolved = turn.futures.Resolve(command.ns, command.set, false);
  WaitEnded ended;
  ended.token = command.token;
  ended.refusal = resolved.refusal;
  // What is not there may be there again after the restart.
  const bool of_what_is_there = resolved.refusal.ok() && command.set.group.empty();
  if (!of_what_is_there && !CheckReadable(turn).ok()) ended.refusal = turn.frozen.refusal();
  for (const Future* member : resolved.members) {
    if (ended.refusal.ok() && (turn.frozen.Hides(*member) || !member->done())) ended.refusal = turn.frozen.refusal();
  }
  if (!ended.refusal.ok()) return turn.Emit(std::move(ended));
  ReportWait(turn, command.token, WaitEnd::kSatisfied, command.take_outcomes, resolved.members);
}

}  // namespace muster::core
