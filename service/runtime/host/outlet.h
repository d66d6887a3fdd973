// How what a loop's shards have decided reaches those for whom it is: whoever waits for an answer, on this loop or
// another, and other shards. Only Release calls LetOut and Refuse, so nothing leaves before it may be seen.
//
// Threading: its loop's thread.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

#include "service/core/door/effect.h"
#include "service/runtime/host/requests.h"

namespace muster::runtime {

class Hosts;

// What those are told who wait when the journal has failed. Made anew for each: a status that several loops hold copies
// of is freed under a count that lies in the packaged Abseil, where the thread sanitizer cannot see it.
absl::Status StoreFailed();

class Outlet {
 public:
  Outlet(uint8_t loop, Hosts& hosts) : loop_(loop), hosts_(hosts), requests_(loop) {}

  RequestTable& requests() { return requests_; }

  // An answer goes to who asked, a message to its shard.
  void LetOut(core::Effect&& effect);
  // It will never be durable: who waits for it hears StoreFailed instead.
  void Refuse(core::Effect&& effect);
  // Everybody who waits on this loop is told.
  void TellAll(const absl::Status& refusal, bool last_step);

 private:
  void Answer(core::Token token, core::Effect&& effect);
  void Deliver(core::Token token, core::Effect&& effect);

  const uint8_t loop_;
  Hosts& hosts_;
  RequestTable requests_;
};

}  // namespace muster::runtime
