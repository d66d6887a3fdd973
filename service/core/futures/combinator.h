// The part of a future that a combinator alone has: its members, and what each kind of combinator keeps beside them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "service/base/clock.h"
#include "service/core/door/command.h"
#include "service/core/futures/link.h"
#include "service/core/futures/missing.h"

namespace muster::core {

// A distinct member of a combinator.
struct MemberLink : Link {
  MemberLink() : Link(Kind::kMember) {}
  Future* combinator = nullptr;
  FutureId id;
  uint32_t times = 1;    // how often it stands in a gather's input
  bool settled = false;  // done, and the combinator has been told
  Remote remote;
};

// What a kind of combinator keeps, and what of it is recorded: plain values, the same in both places.
struct GatherState {
  bool return_exceptions = false;
  bool cancel_requested = false;  // a cancel took for certain
  bool cancel_in_doubt = false;   // a cancel went to members elsewhere

  friend bool operator==(const GatherState&, const GatherState&) = default;
};
struct ShieldState {
  friend bool operator==(const ShieldState&, const ShieldState&) = default;
};
struct WaitForState {
  std::optional<base::Duration> timeout;
  base::Duration grace{0};
  bool polling = false;   // timeout <= 0: cancel the inner, then wait for it (semantics 60)
  bool expiring = false;  // the timeout fired and has asked for its cancel
  bool must_cancel = false;
  uint32_t cancels_passed = 0;

  friend bool operator==(const WaitForState&, const WaitForState&) = default;
};
using CombinatorState = std::variant<GatherState, ShieldState, WaitForState>;

struct Asker {
  Token token = kNoToken;
  bool attach = false;
};

struct Combinator {
  uint32_t count = 0;  // distinct members
  uint32_t depth = 1;
  std::unique_ptr<MemberLink[]> members;
  std::vector<uint32_t> positions;  // of a gather's input: which member; empty when it is the identity
  uint32_t finished = 0;            // members settled and looked at
  CombinatorState state;
  std::string cancel_message;  // of the last cancel that was passed on

  // While members in other shards are being asked for.
  bool relinking = false;   // after a restart: asked again
  uint32_t unanswered = 0;  // subscriptions not answered yet
  Missing refused;          // of those that were answered
  // Whom to answer once the other shards have: the submit, and its repetitions by request id.
  std::vector<Asker> askers;

  GatherState& gather() { return std::get<GatherState>(state); }
  const GatherState& gather() const { return std::get<GatherState>(state); }
  WaitForState& wait_for() { return std::get<WaitForState>(state); }
  const WaitForState& wait_for() const { return std::get<WaitForState>(state); }
};

}  // namespace muster::core
