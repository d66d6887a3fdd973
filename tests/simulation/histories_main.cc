// Random histories of concurrent clients of a server that dies now and then, each checked for linearizability.
//
//   history_simulation              10,000 histories, what CI runs
//   history_simulation --long       200,000
//   history_simulation --seed N     one of them, again, with its operations
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/linearizability/checker.h"
#include "tests/simulation/histories.h"

using muster::linearizability::Check;
using muster::linearizability::Operation;
using muster::linearizability::Reply;
using muster::linearizability::Verdict;
using muster::simulation::HistoryPlan;
using muster::simulation::HistoryWorld;

int main(int argc, char** argv) {
  long runs = 10'000;
  unsigned long long only = 0;
  for (int at = 1; at < argc; ++at) {
    if (strcmp(argv[at], "--long") == 0) {
      runs = 200'000;
    } else if (strcmp(argv[at], "--runs") == 0 && at + 1 < argc) {
      runs = atol(argv[++at]);
    } else if (strcmp(argv[at], "--seed") == 0 && at + 1 < argc) {
      only = strtoull(argv[++at], nullptr, 10);
    } else {
      fprintf(stderr, "usage: %s [--long | --runs R | --seed N]\n", argv[0]);
      return 64;
    }
  }
  const auto start = std::chrono::steady_clock::now();
  long crashes = 0, operations = 0, lost = 0, undecided = 0, crashed = 0;
  for (long run = only != 0 ? static_cast<long>(only) : 1; run <= (only != 0 ? static_cast<long>(only) : runs); ++run) {
    HistoryPlan plan;
    plan.seed = static_cast<uint64_t>(run);
    plan.shards = 1 + static_cast<int>(run % 3);
    HistoryWorld world(plan);
    const std::vector<Operation>& history = world.Run();
    const Verdict verdict = Check(history);
    crashes += world.crashes();
    crashed += world.crashes() > 0;
    operations += static_cast<long>(history.size());
    for (const Operation& operation : history) lost += operation.reply == Reply::kLost;
    undecided += verdict.kind == Verdict::Kind::kUndecided;
    if (only == 0 && verdict.kind != Verdict::Kind::kViolation) continue;
    for (const Operation& operation : history) printf("%s\n", ToText(operation).c_str());
    if (verdict.kind != Verdict::Kind::kViolation) continue;
    printf("seed %ld: %s: %s\nreplay: %s --seed %ld\n", run, verdict.key.c_str(), verdict.explanation.c_str(), argv[0],
           run);
    return 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  printf(
      "%ld histories, %ld across a crash (%ld crashes), %ld operations, %ld of them lost, %ld undecided: all "
      "linearizable, in %.1f s\n",
      only != 0 ? 1 : runs, crashed, crashes, operations, lost, undecided, took.count());
  return undecided > 0 ? 1 : 0;
}
