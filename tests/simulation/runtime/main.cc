// Runs random clients against the real runtime, on one thread and under one clock, and judges what they were told.
//
//   runtime_simulation                 what CI runs: a few hundred seeds, with one loop and with three
//   runtime_simulation --runs R        more of them: the long form is 10,000
//   runtime_simulation --seed N [--loops L] [--trace]   one of them, again
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <signal.h>
#include <unistd.h>

#include "tests/simulation/runtime/world.h"

namespace {

using muster::simulation::RuntimePlan;
using muster::simulation::RuntimeWorld;

char replay[200];

void SayHowToReplay(int) {
  const ssize_t ignored = write(STDERR_FILENO, replay, strlen(replay));
  (void)ignored;
  signal(SIGABRT, SIG_DFL);
  abort();
}

}  // namespace

int main(int argc, char** argv) {
  RuntimePlan plan;
  plan.seed = 0;
  plan.loops = 0;
  long runs = 600;
  for (int at = 1; at < argc; ++at) {
    const bool more = at + 1 < argc;
    if (strcmp(argv[at], "--trace") == 0) {
      plan.trace = true;
    } else if (strcmp(argv[at], "--seed") == 0 && more) {
      plan.seed = strtoull(argv[++at], nullptr, 10);
    } else if (strcmp(argv[at], "--loops") == 0 && more) {
      plan.loops = atoi(argv[++at]);
    } else if (strcmp(argv[at], "--runs") == 0 && more) {
      runs = atol(argv[++at]);
    } else {
      fprintf(stderr, "usage: %s [--runs R | --seed N [--trace]] [--loops L]\n", argv[0]);
      return 64;
    }
  }
  signal(SIGABRT, SayHowToReplay);
  if (plan.trace) setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
  muster::executor::BlockingPool::Options pool_options;
  pool_options.threads = 1;
  muster::executor::BlockingPool pool(std::move(pool_options));
  const auto start = std::chrono::steady_clock::now();
  const bool one = plan.seed != 0;
  const int loops_given = plan.loops;
  unsigned long long operations = 0, crashes = 0, hash = 0;
  for (long run = one ? static_cast<long>(plan.seed) : 1; run <= (one ? static_cast<long>(plan.seed) : runs); ++run) {
    plan.seed = static_cast<uint64_t>(run);
    plan.loops = loops_given != 0 ? loops_given : (run % 2 == 0 ? 3 : 1);
    snprintf(replay, sizeof(replay), "\nreplay: %s --seed %ld --loops %d --trace\n", argv[0], run, plan.loops);
    RuntimeWorld world(plan, pool);
    world.Run();
    operations += world.operations();
    crashes += world.crashes();
    hash = hash * 31 + world.hash();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  printf("%ld seeds passed: %llu operations, %llu crashes and restarts, in %.1f s (what was seen: %016llx)\n",
         one ? 1 : runs, operations, crashes, took.count(), hash);
  return 0;
}
