// asyncio.as_completed: each member once, in order of completion (semantics 37-42).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "service/core/door/command.h"
#include "service/core/door/query.h"
#include "service/core/futures/link.h"
#include "service/core/futures/timer.h"

namespace muster::core {

struct Turn;

// Its timer is the deadline.
struct Stream : ShardTimer {
  Stream() : ShardTimer(Of::kStream) {}
  Token token = kNoToken;
  uint32_t count = 0;
  uint64_t remaining = 0;  // members not delivered yet
  uint32_t undone = 0;     // of these, not completed
  std::unique_ptr<StreamLink[]> links;
  std::vector<FutureId> vanished;  // reported as kExpired, before all else
  size_t vanished_at = 0;
  std::vector<StreamLink*> ready;  // completed, in order
  size_t ready_at = 0;
  bool timed_out = false;
  bool reader_told = false;
};

void Apply(Turn& turn, const core::AttachStream& command);
void StreamMemberDone(Turn& turn, StreamLink& link);
void StreamTimedOut(Turn& turn, Stream& stream);
TakenCompletions TakeFrom(Turn& turn, const core::TakeCompletions& query);
// Nobody is told. `stream` is gone afterwards.
void CloseStream(Turn& turn, Stream& stream);
void CheckStream(const Stream& stream, ShardStats& seen);

}  // namespace muster::core
