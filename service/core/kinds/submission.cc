#include "service/core/kinds/submission.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "service/base/reason.h"
#include "service/core/completion.h"
#include "service/core/interest/calls.h"
#include "service/core/kinds/combinator.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

void RefuseForLackOfRoom(Turn& turn, Submit& command) {
  absl::Status refusal = std::move(command.no_room);
  if (refusal.ok()) {
    refusal = base::Refuse(
        base::Reason::kTooManyRequestIds,
        fmt::format("{} request ids are remembered, the limit; try again later or without", turn.requests.size()),
        "future.options.request_id");
  }
  RefuseSubmit(turn, command.token, std::move(refusal));
}

// The future lives in another shard and was done when its shield was asked for (semantics 55).
void AnswerElsewhere(Turn& turn, const Submit& command, const RequestEntry& entry) {
  Submitted answer;
  answer.token = command.token;
  answer.deduplicated = true;
  answer.id = entry.id;
  answer.state = entry.elsewhere->state;
  turn.Emit(std::move(answer));
  if (!command.attach) return;
  CallEnded ended;
  ended.token = command.token;
  ended.completion = *entry.elsewhere;
  turn.Emit(std::move(ended));
}

}  // namespace

bool AnswerRepeated(Turn& turn, Submit& command) {
  if (!command.options || command.options->request_id.empty()) return false;
  const std::string_view request_id = command.options->request_id;
  RequestEntry* entry = turn.requests.Find(command.ns, request_id);
  if (entry == nullptr) {
    const bool full = turn.requests.size() >= turn.options.request_ids_max;
    if (command.no_room.ok() && !full) return false;
    RefuseForLackOfRoom(turn, command);
  } else if (entry->spec_hash != command.spec_hash) {
    RefuseSubmit(turn, command.token,
                 base::Refuse(base::Reason::kRequestIdReused,
                              fmt::format("future.options.request_id: \"{}\" was used with another spec; give a new "
                                          "request a new id, or repeat the old one as it was",
                                          request_id),
                              "future.options.request_id"));
  } else if (entry->future != nullptr && !entry->future->announced) {
    AddAsker(turn, *entry->future, command.token, command.attach);
  } else if (entry->future != nullptr && entry->future->visible()) {
    AnswerSubmit(turn, *entry->future, command.token, command.attach, /*deduplicated=*/true);
  } else if (entry->elsewhere) {
    AnswerElsewhere(turn, command, *entry);
  } else {
    Submitted answer;
    answer.token = command.token;
    answer.deduplicated = true;
    answer.id = entry->id;
    answer.refusal = base::Refuse(
        base::Reason::kFutureExpired,
        fmt::format("the future of this request id, {}, has expired; it is not run again", entry->id.ToText()),
        "future.options.request_id");
    turn.Emit(std::move(answer));
  }
  return true;
}

void Remember(Turn& turn, const Submit& command, std::string_view request_id, base::Duration ttl, Future& future) {
  RequestEntry& entry = turn.requests.Add(command.ns, request_id);
  entry.future = &future;
  entry.id = turn.futures.IdOf(future);
  entry.spec_hash = command.spec_hash;
  entry.window = std::max(turn.options.request_id_window, ttl);
  ColdOf(future).requests.PushBack(entry);
}

Future& NewFuture(Turn& turn, Submit& command, FutureKind kind) {
  Future& future = turn.futures.Make(command.ns, command.ns_tag, kind, turn.now);
  future.retention = command.retention;
  future.drop_when_delivered = command.attach && command.drop_when_delivered;
  if (command.options) {
    future.bytes += static_cast<int64_t>(values::ByteSize(*command.options));
    future.options = std::move(command.options);
    const Options& options = *future.options;
    if (!options.request_id.empty()) Remember(turn, command, options.request_id, options.request_id_ttl, future);
  }
  return future;
}

void Announce(Turn& turn, Future& future) {
  turn.futures.Announce(future);
  future.bytes += static_cast<int64_t>(future.input.ByteSize());
  EmitChanged(turn, future, State::kPending, true, future.bytes);
}

void AnswerSubmit(Turn& turn, Future& future, Token token, bool attach, bool deduplicated) {
  Submitted& answer = turn.Emit<Submitted>();
  answer.token = token;
  answer.id = turn.futures.IdOf(future);
  answer.state = future.state;
  answer.deduplicated = deduplicated;
  if (attach) AttachCall(turn, future, token);
}

void RefuseSubmit(Turn& turn, Token token, absl::Status refusal) {
  Submitted answer;
  answer.token = token;
  answer.refusal = std::move(refusal);
  turn.Emit(std::move(answer));
}

}  // namespace muster::core
