// asyncio.wait: one counter, one link a member (semantics 23-36).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/core/door/query.h"
#include "service/core/futures/future.h"
#include "service/core/futures/link.h"
#include "service/core/futures/timer.h"

namespace muster::core {

struct Turn;

// Its timer is the deadline.
struct Wait : ShardTimer {
  Wait() : ShardTimer(Of::kWait) {}
  Token token = kNoToken;
  ReturnWhen return_when = ReturnWhen::kAllCompleted;
  bool take_outcomes = true;
  uint32_t remaining = 0;
  uint32_t count = 0;
  std::unique_ptr<WaitLink[]> links;
};

void Apply(Turn& turn, const core::AttachWait& command);
void WaitMemberDone(Turn& turn, Wait& wait, const Future& member);
void EndWait(Turn& turn, Wait& wait, WaitEnd end);
// Nobody is told. `wait` is gone afterwards (semantics 36).
void CloseWait(Turn& turn, Wait& wait);
// Answers with what `members` are now.
void ReportWait(Turn& turn, Token token, WaitEnd end, bool take_outcomes, const std::vector<Future*>& members);
void CheckWait(const Wait& wait, ShardStats& seen);

}  // namespace muster::core
