// Gives the jobs of one loop's shards to places, and keeps those that find no room.
//
// A job that finds room at once is started at once; one whose function is a coroutine always does, and costs neither a
// hash nor an allocation beside its own run. All others wait in the ready list, where withdraws find them, until a
// place has room or somebody serves their function.
//
// Threading: the loop's thread, but for what says otherwise. Lifetime: destroyed when no job is left (Drain ends them
// first), or when the loop has stopped for good: bodies that are suspended then cannot be resumed any more, and their
// frames, and what they hold, go with the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/core/door/effect.h"
#include "service/dispatch/directory.h"
#include "service/dispatch/host.h"
#include "service/dispatch/loop_place.h"
#include "service/dispatch/matching.h"
#include "service/dispatch/pool_place.h"
#include "service/dispatch/pool_room.h"
#include "service/dispatch/run.h"

namespace muster::dispatch {

// What a job that is queued waits for.
enum class WaitsFor : uint8_t {
  kRoom,    // all places of its function are full
  kWorker,  // nobody serves its function (NO_WORKER)
};

class Dispatcher final : private Directory::Listener {
 public:
  // Shards are dealt out to `loops` loops in turn.
  Dispatcher(Host& host, Directory& directory, PoolRoom& room, size_t loops);
  ~Dispatcher();

  void Start(core::StartJob&& start);
  void Withdraw(const core::WithdrawJob& withdraw);
  void Cancel(const core::CancelJob& cancel);
  // Cancels every body; each ends as it sees fit. Those that wait for room are told when they start.
  void CancelAll(const std::string& message);

  // nullopt: it is not here, or has a place.
  std::optional<WaitsFor> WhyQueued(const values::FutureId& id) const;

  // All of these from any thread.
  // Jobs whose bodies run, or will as soon as there is room.
  uint64_t running() const { return runs_.placed() + waiting(); }
  // Of these, those that wait for room.
  uint64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  // Jobs that wait because nobody serves their function; and those of a blocking one.
  uint64_t unserved() const { return unserved_.load(std::memory_order_relaxed); }
  uint64_t unserved_blocking() const { return unserved_blocking_.load(std::memory_order_relaxed); }
  // Threads of the pool that run what nobody wants the result of any more.
  uint64_t abandoned() const { return pool_.abandoned(); }

 private:
  void OnServedChanged(const Function& function) override;  // any thread
  void StartOrWait(const Function& function, core::StartJob&& start);
  void FailUnserved(const Function& function, const core::StartJob& start);
  // Takes note of who serves it now.
  void Learn(const Function& function);
  // Starts what is ready where there is room.
  void Match();
  void StartReady(const Matching::Decision& next);
  void PublishCounts();
  // Where functions of a kind run; nullopt: nowhere here.
  static std::optional<Matching::PlaceIndex> PlaceOf(values::FunctionKind kind);

  Host& host_;
  Directory& directory_;
  Runs runs_;
  Matching matching_;
  LoopPlace loop_;
  PoolPlace pool_;
  const std::vector<Place*> places_;  // by Matching::PlaceIndex
  core::CancelJob cancel_all_;        // what CancelAll tells
  // Stored by the loop alone.
  std::atomic<uint64_t> waiting_{0}, unserved_{0}, unserved_blocking_{0};
};

}  // namespace muster::dispatch
