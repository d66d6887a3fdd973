// Futures that a client settles (semantics 2, 13).
#include <fmt/format.h>

#include "service/base/check.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {

void Shard::Impl::SubmitPromise(core::Submit& command) {
  const bool attach = command.attach;
  Future& promise = NewFuture(command, FutureKind::kPromise);
  Announce(promise);
  AnswerSubmit(promise, command.token, attach, false);
}

void Shard::Impl::SettlePromise(core::SettlePromise& command) {
  PromiseSettled answer;
  answer.token = command.token;
  Future* promise = Find(command.ns, command.id);
  if (promise == nullptr) {
    answer.refusal = RefuseMissing({{command.id, static_cast<int>(WhyMissing(command.ns, command.id))}}, 1);
  } else if (promise->kind != FutureKind::kPromise) {
    answer.state = promise->state;
    answer.refusal = base::Refuse(base::Reason::kNotAPromise,
                                  fmt::format("{} is no promise: only a promise is settled from outside, a job by its "
                                              "body and a combinator by its members",
                                              command.id.ToText()),
                                  "id");
  } else if (promise->done()) {
    const bool repeated =
        !command.request_id.empty() && promise->cold && promise->cold->settle_request_id == command.request_id;
    answer.state = promise->state;
    if (!repeated) {
      answer.refusal =
          base::Refuse(base::Reason::kAlreadyDone, fmt::format("{} is done already", command.id.ToText()), "id");
    }
  } else {
    MUSTER_CHECK(command.outcome != nullptr) << "a promise is settled with an outcome";
    if (!command.request_id.empty()) ColdOf(*promise).settle_request_id = std::move(command.request_id);
    State state = State::kSucceeded;
    if (command.outcome->kind == Outcome::Kind::kError) state = State::kFailed;
    if (command.outcome->kind == Outcome::Kind::kCancelled) state = State::kCancelled;
    Complete(*promise, state, std::move(command.outcome));
    answer.state = state;
  }
  Emit(std::move(answer));
}

}  // namespace muster::core
