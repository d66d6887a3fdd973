#include "service/core/interest/calls.h"

#include <vector>

#include "service/core/completion.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

void Deliver(Turn& turn, Future& future, Token token) {
  CallEnded& ended = turn.Emit<CallEnded>();
  ended.token = token;
  ended.completion = CompletionOf(turn, future, true);
  turn.interest.open.Erase(token);
  turn.interest.open.CountCall(-1);
}

}  // namespace

void AttachCall(Turn& turn, Future& future, Token token) {
  turn.interest.open.CountCall(1);
  if (future.done()) {
    Deliver(turn, future, token);
    if (future.drop_when_delivered) Expire(turn, future);
    return;
  }
  turn.interest.open.Add(token, CallOf{&future});
  if (future.called) {
    ColdOf(future).more_calls.push_back(token);
  } else {
    future.called = true;
    future.call = token;
  }
}

void DetachCall(Turn& turn, Future& future, Token token) {
  turn.interest.open.CountCall(-1);
  if (!future.announced) {
    for (Asker& asker : future.combinator().askers) asker.attach = asker.attach && asker.token != token;
    return;
  }
  if (!future.called || future.call != token) {
    std::erase(future.cold->more_calls, token);
    return;
  }
  future.called = future.cold && !future.cold->more_calls.empty();
  if (future.called) {
    future.call = future.cold->more_calls.front();
    future.cold->more_calls.erase(future.cold->more_calls.begin());
  } else if (future.drop_when_delivered) {
    // Nobody has its id for certain; who does may still ask for a while.
    future.drop_when_delivered = false;
    future.retention = turn.options.undelivered_retention;
    turn.changes.Mark(future);
  }
}

void TellCalls(Turn& turn, Future& future) {
  if (!future.called) return;
  Deliver(turn, future, future.call);
  future.called = false;
  if (future.cold) {
    for (const Token token : future.cold->more_calls) Deliver(turn, future, token);
    future.cold->more_calls.clear();
  }
  if (future.drop_when_delivered) Expire(turn, future);
}

}  // namespace muster::core
