// What submits of all kinds share: the record, the request id, and the answer.
#pragma once

#include <string_view>

#include "service/core/door/command.h"
#include "service/core/futures/future.h"

namespace muster::core {

struct Turn;

// Answers a submit whose request id is known (semantics 102), or that there is no room for. False: it is a new one.
bool AnswerRepeated(Turn& turn, Submit& command);

// Takes the options out of the command. Nobody can see it before Announce.
Future& NewFuture(Turn& turn, Submit& command, FutureKind kind);
// That a repetition of the submit finds `future`.
void Remember(Turn& turn, const Submit& command, std::string_view request_id, base::Duration ttl, Future& future);

// From here on others may see the future, and it counts. Jobs and promises call it at once, a combinator when the
// shards of its members have answered.
void Announce(Turn& turn, Future& future);
void AnswerSubmit(Turn& turn, Future& future, Token token, bool attach, bool deduplicated);
void RefuseSubmit(Turn& turn, Token token, absl::Status refusal);

}  // namespace muster::core
