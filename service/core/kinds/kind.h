// The kinds of futures: what differs by kind is one row of one table, and nobody else asks which kind a future is of to
// decide what becomes of it. A new kind is a file that fills a row, its spec in values/spec.h, and its line in kind.cc.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

#include "service/core/door/values.h"
#include "service/core/futures/combinator.h"

namespace muster::core {

struct CancelWalk;
struct Future;
struct FutureRecord;
struct MemberLink;
struct ShardStats;
struct Submit;
struct Turn;

struct Kind {
  std::string_view name;
  bool combines = false;       // it has members, which are other futures
  bool keeps_members = false;  // also when it is done: their outcomes are its own
  bool one_member = false;     // it has exactly one
  CombinatorState state = {};  // what a new one with members keeps beside them

  // Makes the future and answers the submit, or refuses it.
  void (*submit)(Turn& turn, Submit& command) = nullptr;
  // Its timer, while it is not done. Null: it has none.
  void (*timer)(Turn& turn, Future& future) = nullptr;
  // Its members are known: what starts with that. Null: nothing.
  void (*begin)(Turn& turn, Future& future) = nullptr;
  // The submit of one over a future that is done is answered with that future itself (semantics 55).
  bool is_inner_when_done = false;
  // A member, not settled before, is done. Null without members.
  void (*member_done)(Turn& turn, Future& future, MemberLink& member) = nullptr;
  // One step of a cancel that spreads; it is not done. `times`: how often it is cancelled at once.
  void (*cancel)(Turn& turn, CancelWalk& walk, Future& future, uint32_t times) = nullptr;
  // Whether cancelling() counts: what runs a body, or behaves as if.
  bool counts_cancels = false;
  // It is done, and has a cold part: ends what it had open. Null: nothing.
  void (*let_go)(Turn& turn, Future& future) = nullptr;
  // Whether there is anything left to cancel in one that is not done. Null: always.
  bool (*cancellable)(const Future& future) = nullptr;
  // What is wrong with a record; null when nothing is. It has been checked for what all kinds share.
  const char* (*damage)(const FutureRecord& record) = nullptr;
  // Aborts on what must never be. Null: nothing of its own.
  void (*check)(const Future& future) = nullptr;
};

const Kind& KindOf(FutureKind kind);
inline std::string_view NameOf(FutureKind kind) { return KindOf(kind).name; }

}  // namespace muster::core
