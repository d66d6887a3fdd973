// What one call may touch: the parts of a shard, each of which owns its members and keeps its own invariants, the time,
// and the effects that the call appends. Kinds and whoever else decides something are functions that are given it.
//
// Threading: its shard's. Lifetime: its shard's; `now` and the effects are those of the call under way.
#pragma once

#include <memory>
#include <utility>
#include <variant>

#include "service/base/clock.h"
#include "service/base/timer_queue.h"
#include "service/core/completion.h"
#include "service/core/door/effect.h"
#include "service/core/frozen.h"
#include "service/core/futures/request_ids.h"
#include "service/core/futures/retention.h"
#include "service/core/futures/table.h"
#include "service/core/interest/interest.h"
#include "service/core/kinds/cancel.h"
#include "service/core/record/changes.h"
#include "service/core/record/restoring.h"
#include "service/core/shard_options.h"

namespace muster::core {

struct Turn {
  explicit Turn(const ShardOptions& o) : options(o), futures(o), changes(o.journaled) {}

  template <typename E>
  void Emit(E effect) {
    effects->emplace_back(std::move(effect));
  }
  // Made in place, for those of every job. Good until the next one.
  template <typename E>
  E& Emit() {
    return std::get<E>(effects->emplace_back(std::in_place_type<E>));
  }

  const ShardOptions options;
  base::Instant now{};
  Effects* effects = nullptr;

  FutureTable futures;
  RequestIds requests;
  Interest interest;
  Changes changes;
  Completed completed;
  Doomed doomed;
  WalkIds walks;
  Frozen frozen;
  std::unique_ptr<Restoring> restoring;  // until all that was restored has been taken up
  base::TimerQueue timers;               // the last: it disarms what the others hold
};

}  // namespace muster::core
