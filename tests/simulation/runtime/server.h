// One life of a server without its wire, on one thread: the real runtime with its loops, its committer and a journal in
// memory, each of which moves only when it is told to.
//
// Threading: one thread. Lifetime: End comes before destruction.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "service/base/clock.h"
#include "service/dispatch/directory.h"
#include "service/executor/blocking_pool.h"
#include "service/executor/loop.h"
#include "service/jobs/registry.h"
#include "service/runtime/service.h"
#include "service/runtime/store.h"
#include "service/store/memory_journal.h"
#include "tests/simulation/random.h"
#include "tests/simulation/runtime/manual_committer.h"

namespace muster::simulation {

class Server {
 public:
  struct Setting {
    int loops = 1;
    base::ManualClock* clock = nullptr;
    executor::BlockingPool* pool = nullptr;  // never used: all bodies are coroutines
    std::function<void(jobs::Registry&)> register_bodies;
  };

  // Takes up what is on `disk`.
  Server(const Setting& setting, std::shared_ptr<store::MemoryStore> disk, Random& random);
  ~Server();

  runtime::Service& service() { return *service_; }
  const dispatch::Directory& directory() const { return directory_; }
  store::MemoryStore& disk() { return *disk_; }
  ManualCommitter& committer() { return *committer_; }
  executor::Loop& loop(size_t index) { return *loops_[index]; }
  size_t loops() const { return loops_.size(); }

  // One turn of a loop that has something to do; which one is drawn. False: none has.
  bool TurnSome();
  // Turns and commits until there is nothing to do without moving time.
  void RunUntilQuiet();
  bool quiet() const;
  // The first deadline of any loop.
  base::Instant NextDeadline() const;

  // Ends it in the order that a server ends in: after that it records nothing, and everybody has been answered.
  void End();

 private:
  void Open();

  const Setting setting_;
  Random& random_;
  const std::shared_ptr<store::MemoryStore> disk_;
  const std::unique_ptr<store::Journal> journal_;
  jobs::Registry registry_;
  dispatch::Directory directory_;
  runtime::NullObserver observer_;
  std::unique_ptr<runtime::Store> store_;
  std::vector<std::unique_ptr<executor::Loop>> loops_;
  std::unique_ptr<runtime::Service> service_;
  ManualCommitter* committer_ = nullptr;  // the service's
};

}  // namespace muster::simulation
