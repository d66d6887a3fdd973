// A running job's await of another future: one at a time, as a task of asyncio does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "service/core/door/command.h"
#include "service/core/futures/link.h"

namespace muster::core {

struct AwaitLink : Link {
  AwaitLink() : Link(Kind::kAwait) {}
  Future* job = nullptr;
  Token token = kNoToken;
  bool open = false;
  uint32_t count = 0;  // awaits of this job so far; names this one between shards
  FutureId target;
  // A cancel could not be passed on to the target: the body sees it in place of the target's outcome.
  bool must_cancel = false;
  std::string cancel_message;
  uint32_t cancels_passed = 0;
  // A cancel that was pending when the body began to await; until the target's shard has said that it is not done.
  std::optional<std::string> pending_cancel;
  bool met_cancel = false;  // and it has gone to the target
  Remote remote;
};

}  // namespace muster::core
