#include "service/core/futures/retention.h"

#include <utility>

#include "service/base/check.h"
#include "service/base/reason.h"
#include "service/core/kinds/combinator.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

void Forget(Turn& turn, Future& future) {
  MUSTER_CHECK(future.links.empty()) << "a future goes while somebody waits for it";
  if (future.announced) {
    Dropped& dropped = turn.Emit<Dropped>();
    dropped.id = turn.futures.IdOf(future);
    dropped.ns = future.ns;
    dropped.kind = future.kind;
    dropped.function = future.function;
    dropped.state = future.state;
    dropped.unretrieved = future.state == State::kFailed && !future.retrieved;  // semantics 19
    dropped.outcome = std::move(future.outcome);
    dropped.bytes_held = -future.bytes;
  }
  if (future.cold) {
    while (RequestEntry* entry = future.cold->requests.PopFront()) {
      entry->future = nullptr;
      turn.timers.Add(*entry, base::Later(turn.now, entry->window));
      turn.changes.Mark(*entry);
    }
    if (future.cold->combinator) ReleaseMembers(turn, future);
  }
  if (future.stored) turn.changes.MarkGone(turn.futures.IdOf(future), future);
  turn.timers.Remove(future);
  turn.futures.Erase(future);
}

absl::Status DeleteOne(Turn& turn, NamespaceId ns, const FutureId& id) {
  Future* future = turn.futures.Find(ns, id);
  if (future == nullptr) return turn.futures.RefuseMissing(ns, id);
  if (!future->done()) {
    return base::Refuse(base::Reason::kNotDone, "only a done future is deleted: cancel it first, or wait for it", "id");
  }
  // Who has it pinned keeps it; nobody else finds it.
  turn.timers.Remove(*future);
  future->retrieved = true;
  if (future->cold) turn.futures.groups().Leave(future->cold->group);
  future->hidden = true;
  turn.changes.Mark(*future);
  Expire(turn, *future);
  return absl::OkStatus();
}

}  // namespace

void Expire(Turn& turn, Future& future) {
  future.expired = true;
  if (future.pins == 0) return turn.doomed.Add(future);
  turn.changes.Mark(future);
}

void ForgetDoomed(Turn& turn) {
  std::vector<Future*>& doomed = turn.doomed.futures_;
  for (size_t at = 0; at < doomed.size(); ++at) {  // grows while gathers let go of their members
    doomed[at]->doomed = false;
    if (doomed[at]->pins == 0) Forget(turn, *doomed[at]);
  }
  doomed.clear();
}

void Apply(Turn& turn, const core::Delete& command) {
  Deleted answer;
  answer.token = command.token;
  answer.statuses.reserve(command.ids.size());
  for (const FutureId& id : command.ids) answer.statuses.push_back(DeleteOne(turn, command.ns, id));
  turn.Emit(std::move(answer));
}

}  // namespace muster::core
