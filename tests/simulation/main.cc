// Runs random programs against the core and judges them. A failure says how to replay it.
//
//   simulation                              what CI runs: 10,000 seeds, over one to three shards
//   simulation --long                       200,000 seeds
//   simulation --seed N --steps M --shards K [--crashes] [--trace]   one of them, again
//
// Every other seed kills the server now and then, and starts it again from what it had committed.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <signal.h>
#include <unistd.h>

#include "tests/simulation/world.h"

namespace {

using muster::simulation::Plan;

char replay[200];

void SayHowToReplay(int) {
  const ssize_t ignored = write(STDERR_FILENO, replay, strlen(replay));
  (void)ignored;
  signal(SIGABRT, SIG_DFL);
  abort();
}

void RunOne(const char* program, const Plan& plan) {
  snprintf(replay, sizeof(replay), "\nreplay: %s --seed %llu --steps %d --shards %d%s --trace\n", program,
           static_cast<unsigned long long>(plan.seed), plan.steps, plan.shards, plan.crashes ? " --crashes" : "");
  muster::simulation::World world(plan);
  world.Run();
}

}  // namespace

int main(int argc, char** argv) {
  Plan plan;
  plan.seed = 0;
  long runs = 10'000;
  for (int at = 1; at < argc; ++at) {
    const bool more = at + 1 < argc;
    if (strcmp(argv[at], "--long") == 0) {
      runs = 200'000;
    } else if (strcmp(argv[at], "--trace") == 0) {
      plan.trace = true;
    } else if (strcmp(argv[at], "--crashes") == 0) {
      plan.crashes = true;
    } else if (strcmp(argv[at], "--seed") == 0 && more) {
      plan.seed = strtoull(argv[++at], nullptr, 10);
    } else if (strcmp(argv[at], "--steps") == 0 && more) {
      plan.steps = atoi(argv[++at]);
    } else if (strcmp(argv[at], "--shards") == 0 && more) {
      plan.shards = atoi(argv[++at]);
    } else if (strcmp(argv[at], "--runs") == 0 && more) {
      runs = atol(argv[++at]);
    } else {
      fprintf(stderr, "usage: %s [--long | --runs R | --seed N [--crashes] [--trace]] [--steps M] [--shards K]\n",
              argv[0]);
      return 64;
    }
  }
  signal(SIGABRT, SayHowToReplay);
  if (plan.trace) setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
  if (plan.seed != 0) {
    RunOne(argv[0], plan);
    printf("seed %llu passed\n", static_cast<unsigned long long>(plan.seed));
    return 0;
  }
  const auto start = std::chrono::steady_clock::now();
  for (long run = 1; run <= runs; ++run) {
    plan.seed = static_cast<uint64_t>(run);
    plan.shards = 1 + static_cast<int>(run % 3);
    plan.crashes = run % 2 == 0;
    RunOne(argv[0], plan);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  printf("%ld seeds of %d steps passed in %.1f s\n", runs, plan.steps, took.count());
  return 0;
}
