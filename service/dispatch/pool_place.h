// The blocking pool as a place of one loop's jobs. The pool's threads are shared by all loops (pool_room.h); jobs that
// find no room wait in the dispatcher's ready list.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "service/base/function.h"
#include "service/dispatch/host.h"
#include "service/dispatch/place.h"
#include "service/dispatch/pool_room.h"

namespace muster::dispatch {

class PoolPlace final : public Place, private PoolRoom::Waiter {
 public:
  // `on_room` is called on the loop's thread when there may be room again: when a run has ended, from within
  // Withdraw, and when another loop has given a place back.
  PoolPlace(Host& host, Runs& runs, PoolRoom& room, base::UniqueFunction<void()> on_room);
  ~PoolPlace() override;

  size_t Room() override;
  void GiveRoomBack() override;
  void Start(const jobs::Function& function, core::StartJob&& start, const Waited& waited) override;
  void Withdraw(Run& run) override;
  void Cancel(Run& run, const core::CancelJob& cancel) override;

  // Threads whose body nobody wants the result of any more. Any thread.
  uint64_t abandoned() const { return abandoned_.load(std::memory_order_relaxed); }

 private:
  class Body;
  struct Bodies;

  void OnRoom() override;  // any thread
  void Forget(Body& body);
  void CountAbandoned(int by) {  // the loop alone writes
    abandoned_.store(abandoned_.load(std::memory_order_relaxed) + static_cast<uint64_t>(by), std::memory_order_relaxed);
  }

  Host& host_;
  Runs& runs_;
  PoolRoom& room_;
  base::UniqueFunction<void()> on_room_;
  bool reserved_ = false;  // one place, taken and not used yet
  bool in_line_ = false;
  std::atomic<uint64_t> abandoned_{0};
  std::unique_ptr<Bodies> bodies_;
};

}  // namespace muster::dispatch
