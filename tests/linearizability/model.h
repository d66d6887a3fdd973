// One future as the checker sees it. Texts are numbers here, 0 for none or not known, so that a configuration is small
// and quick to compare.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/linearizability/history.h"

namespace muster::linearizability {

using Word = uint32_t;

struct Step {
  Call call = Call::kRead;
  Reply reply = Reply::kLost;
  bool job = false;
  Word argument = 0;
  Word request_id = 0;
  Word result = 0;
};

struct State {
  enum class Phase : uint8_t { kAbsent, kPending, kDone };
  Phase phase = Phase::kAbsent;
  bool job = false;
  Word spec = 0;
  Word id = 0;          // 0: nobody was told yet
  Word outcome = 0;     // 0: done, and nobody has seen with what
  Word settled_by = 0;  // the request id of the settle that won

  friend bool operator==(const State&, const State&) = default;
};

// The states in which `step`, with the reply it had, can leave `state`; none when it cannot have happened there.
void Apply(const State& state, const Step& step, std::vector<State>& next);

}  // namespace muster::linearizability
