#include "service/core/kinds/promise.h"

#include <utility>

#include <fmt/format.h>

#include "service/base/check.h"
#include "service/base/reason.h"
#include "service/core/completion.h"
#include "service/core/kinds/cancel.h"
#include "service/core/kinds/submission.h"
#include "service/core/record/record.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

// semantics 5
void CancelStep(Turn& turn, CancelWalk& walk, Future& promise, uint32_t) {
  Complete(turn, promise, State::kCancelled, Outcome::Cancelled(walk.message));
}

const char* Damage(const FutureRecord& record) {
  if (IsDone(record.state)) return nullptr;
  if (record.state != State::kPending) return "its state does not fit its kind";
  return record.due == base::kNever ? nullptr : "it has no timeout, and ran into one";
}

// Why it cannot be settled; or that it has been, by the same request.
absl::Status CheckSettle(const SettlePromise& command, const Future& promise) {
  if (promise.kind != FutureKind::kPromise) {
    return base::Refuse(base::Reason::kNotAPromise,
                        fmt::format("{} is no promise: only a promise is settled from outside, a job by its body and a "
                                    "combinator by its members",
                                    command.id.ToText()),
                        "id");
  }
  const bool repeated =
      !command.request_id.empty() && promise.cold && promise.cold->settle_request_id == command.request_id;
  if (!promise.done() || repeated) return absl::OkStatus();
  return base::Refuse(base::Reason::kAlreadyDone, fmt::format("{} is done already", command.id.ToText()), "id");
}

}  // namespace

const Kind kPromiseKind = {
    .name = "promise",
    .submit = SubmitPromise,
    .cancel = CancelStep,
    .damage = Damage,
};

void SubmitPromise(Turn& turn, Submit& command) {
  const bool attach = command.attach;
  Future& promise = NewFuture(turn, command, FutureKind::kPromise);
  Announce(turn, promise);
  AnswerSubmit(turn, promise, command.token, attach, false);
}

void Apply(Turn& turn, core::SettlePromise& command) {
  PromiseSettled answer;
  answer.token = command.token;
  Future* promise = turn.futures.Find(command.ns, command.id);
  if (promise == nullptr) {
    answer.refusal = turn.futures.RefuseMissing(command.ns, command.id);
    return turn.Emit(std::move(answer));
  }
  answer.refusal = CheckSettle(command, *promise);
  if (answer.refusal.ok() && !promise->done()) {
    MUSTER_CHECK(command.outcome != nullptr) << "a promise is settled with an outcome";
    if (!command.request_id.empty()) ColdOf(*promise).settle_request_id = std::move(command.request_id);
    const State state = StateFor(*command.outcome);
    Complete(turn, *promise, state, std::move(command.outcome));
  }
  answer.state = promise->state;
  turn.Emit(std::move(answer));
}

}  // namespace muster::core
