#include "service/core/interest/detach.h"

#include <memory>
#include <variant>

#include "service/core/interest/awaits.h"
#include "service/core/interest/calls.h"
#include "service/core/interest/streams.h"
#include "service/core/interest/waits.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

void Close(Turn& turn, Token, std::unique_ptr<Wait>& wait) { CloseWait(turn, *wait); }
void Close(Turn& turn, Token, std::unique_ptr<Stream>& stream) { CloseStream(turn, *stream); }
void Close(Turn& turn, Token, const AwaitOf& await) { DropAwait(turn, *await.job->cold->await); }
void Close(Turn& turn, Token token, const CallOf& call) {
  Future& future = *call.future;
  turn.interest.open.Erase(token);
  DetachCall(turn, future, token);
}

}  // namespace

void Apply(Turn& turn, const core::Detach& command) {
  Opened* const opened = turn.interest.open.Find(command.token);
  if (opened == nullptr) return;
  std::visit([&](auto& what) { Close(turn, command.token, what); }, *opened);
}

}  // namespace muster::core
