// Sleep and Yield: asyncio.sleep.
//
//   MUSTER_CO_RETURN_IF_ERROR(co_await coro::Sleep(token, std::chrono::seconds(1)));
//   MUSTER_CO_RETURN_IF_ERROR(co_await coro::Yield(token));   // let everyone else have a turn
//
// Both return OK or CancelledError. A sleep of 0 or less is a Yield.
#pragma once

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/coro/cancel.h"
#include "service/coro/executor.h"

namespace muster::coro {

class [[nodiscard]] Sleep final : public Suspension, private Timer {
 public:
  Sleep(CancelToken& token, base::Duration duration) : Suspension(token), Timer(&OnTimer), duration_(duration) {}

  bool await_ready() const { return false; }
  bool await_suspend(Continuation waiter) {
    if (!Suspend(waiter)) return false;
    if (duration_ <= base::Duration::zero()) {
      WakeNextTurn();
    } else {
      executor()->AddTimer(*this, base::Later(executor()->Now(), duration_));
    }
    return true;
  }
  absl::Status await_resume() { return Resume(); }

 private:
  static void OnTimer(Timer& timer) { static_cast<Sleep&>(timer).Wake(); }
  CancelReply OnCancel() override {
    executor()->RemoveTimer(*this);
    return CancelReply::kWake;
  }

  const base::Duration duration_;
};

inline Sleep Yield(CancelToken& token) { return Sleep(token, base::Duration::zero()); }

}  // namespace muster::coro
