// The run itself: clients at work, a server that dies again and again, and at the end the sum of it.
//
// Threading: one thread calls RunBlocking, once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "service/base/thread.h"
#include "tests/crash/client.h"
#include "tests/crash/history_clients.h"
#include "tests/crash/scenarios.h"
#include "tests/crash/server.h"

namespace muster::crash {

struct LoopOptions {
  std::string musterd;
  std::string folder;               // empty: a new one for temporary files, removed after a good run
  std::string durability = "sync";  // "none": no store, so that the run must end with violations
  std::vector<std::string> musterd_flags;
  uint64_t seed = 1;
  // The server dies until all four are reached.
  uint64_t kills = 200;
  uint64_t failpoints = 0;  // deaths planned for each failpoint; a fake run and a server that keeps nothing have none
  uint64_t histories = 100;
  uint64_t submits = 0;
  int scenario_clients = 5;
  int bulk_clients = 2;
  int history_groups = 2;
  int batch = 200;
  int patience_seconds = 60;
  bool keep = false;
  // The server lives on and only answers are lost: tries the test itself out on a server that keeps nothing.
  bool fake = false;

  bool durable() const { return !fake && durability != "none"; }
};

class Loop {
 public:
  explicit Loop(LoopOptions options);

  // 0: all held; 1: something did not, and the standard output says what.
  int RunBlocking();

 private:
  struct Failpoint {
    uint64_t armed = 0;
    uint64_t fired = 0;
  };
  struct Plan {
    std::string failpoint;  // its name; empty: a kill by chance
    std::string armed;      // for MUSTER_FAILPOINT
    std::chrono::milliseconds after{0};
  };

  bool Prepare();
  void StartClients();
  Plan NextPlan();
  // One life and death. False when the run must end.
  bool OneLife();
  bool OneCut();
  // Starts a server that must come up.
  bool StartGood();
  bool Failed(const std::string& what);
  bool EachFailpointHadItsTurns() const;
  bool Enough() const;
  bool KillUntilEnough();
  void Settle();
  // Everything that the book says must be there is asked for.
  bool Audit(const std::string& when);
  bool SettlePending();
  bool StopInOrder();
  bool JudgeAgain();
  void CheckFailpoints();
  void Report();
  void Progress();

  const LoopOptions options_;
  std::string folder_;
  Run run_;
  std::unique_ptr<Server> server_;
  simulation::Random random_;
  Archive archive_;
  HistoryCounts histories_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<base::Thread> threads_;
  std::map<std::string, Failpoint> failpoints_;
  std::vector<std::string> failures_;  // beside the judge's
  uint64_t starts_ = 0;
  uint64_t kills_ = 0, by_chance_ = 0, by_failpoint_ = 0;
  uint64_t next_failpoint_ = 0;
  uint64_t audited_ = 0;
  double start_seconds_ = 0, start_seconds_max_ = 0, stop_seconds_max_ = 0;
  uint64_t ready_ = 0;
  Target::Clock::time_point began_ = Target::Clock::now();
  Target::Clock::time_point told_ = Target::Clock::now();
};

}  // namespace muster::crash
