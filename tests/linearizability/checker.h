// Is there an order of the operations, each at one instant between its invocation and its answer, in which one future
// after another behaves as promised? (Herlihy and Wing: linearizability.)
//
// The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993) with Lowe's improvements ("Testing
// for linearizability", 2017): configurations that were seen before are not entered again, and each future is checked
// on its own, which is sound because futures do not touch each other here.
//
// The model of one future: absent, pending, done. A submit makes it, or finds it; a settle or a cancel ends it, the
// first wins; a job may also end by itself. An operation whose answer was lost may have happened or not; one that a
// crash took back after it was answered has no place in any order, so a lost acknowledged write is found (durable
// linearizability).
//
// Threading: none; pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tests/linearizability/history.h"

namespace muster::linearizability {

struct Verdict {
  enum class Kind : uint8_t {
    kLinearizable,
    kViolation,
    kUndecided,  // more configurations than allowed
  };
  Kind kind = Kind::kLinearizable;
  // Of a violation: which future, the longest order that was found and what fits nowhere behind it.
  std::string key;
  std::string explanation;
  uint64_t configurations = 0;  // entered, over all futures

  bool ok() const { return kind == Kind::kLinearizable; }
};

Verdict Check(std::span<const Operation> history, uint64_t configurations_max = 2'000'000);

}  // namespace muster::linearizability
