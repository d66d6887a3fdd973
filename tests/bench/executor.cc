// bench_executor: what spawning, posting and suspending cost by themselves, as one line of JSON.
//
//   bench_executor --mode=spawn               tasks without a token of their own, spawned by the batch and joined
//   bench_executor --mode=spawn_cancellable   the same, each with its CancelToken
//   bench_executor --mode=post                small callables, posted one by one from another thread
//   bench_executor --mode=post_runnable       the same with Runnables that exist already: nothing is allocated
//   bench_executor --mode=bytes --count=1000000   resident memory of so many coroutines that wait for an Event
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "CLI/CLI.hpp"
#include "fmt/format.h"

#include "service/coro/event.h"
#include "service/coro/scope.h"
#include "service/coro/sleep.h"
#include "service/coro/task.h"
#include "service/executor/loop.h"
#include "service/executor/sync_wait.h"
#include "tests/bench/tally.h"

namespace muster::bench {
namespace {

// --- spawn and join --------------------------------------------------------------------------------------------------

coro::Task<void> Empty() { co_return; }
coro::Task<void> EmptyCancellable(coro::CancelToken&) { co_return; }

coro::Task<void> SpawnBatches(Tally& tally, int batch, bool cancellable) {
  coro::CancelToken token;
  for (;;) {
    const auto began = Tally::Now();
    if (!tally.Start(static_cast<uint64_t>(batch), began)) break;
    coro::Scope scope;
    for (int i = 0; i < batch; ++i) {
      if (cancellable) {
        scope.Spawn(EmptyCancellable);
      } else {
        scope.Spawn(Empty());
      }
    }
    const absl::Status joined = co_await scope.Join(token);
    MUSTER_CHECK(joined.ok());
    tally.Done(began, static_cast<uint64_t>(batch), Tally::Now());
  }
}

// --- post ------------------------------------------------------------------------------------------------------------

// Counts what ran on the loop; the poster reads it.
struct alignas(64) Ran {
  std::atomic<uint64_t> count{0};
  void Add() { count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
};

struct PostedRunnable final : coro::Runnable {
  explicit PostedRunnable(Ran& counter) : Runnable(&Entry), ran(counter) {}
  static void Entry(Runnable& self) { static_cast<PostedRunnable&>(self).ran.Add(); }
  Ran& ran;
};

// Posts groups, one callable at a time, with at most `groups_max` of them under way: a queue without an end would
// measure the allocator.
class Poster {
 public:
  Poster(executor::Loop& loop, Tally& tally, int group, int groups_max, bool runnables)
      : loop_(loop), tally_(tally), group_(static_cast<uint64_t>(group)), began_(static_cast<size_t>(groups_max)) {
    if (!runnables) return;
    for (uint64_t i = 0; i < group_ * began_.size(); ++i) runnables_.push_back(std::make_unique<PostedRunnable>(ran_));
  }

  void Run() {
    for (;;) {
      while (begun_ - ended_ == began_.size()) Collect();
      const auto now = Tally::Now();
      if (!tally_.Start(group_, now)) break;
      began_[begun_ % began_.size()] = now;
      PostGroup();
      ++begun_;
      Collect();
    }
    while (ended_ < begun_) Collect();
  }

 private:
  void PostGroup() {
    if (runnables_.empty()) {
      for (uint64_t i = 0; i < group_; ++i) loop_.Post([this] { ran_.Add(); });
    } else {
      const uint64_t first = begun_ % began_.size() * group_;
      for (uint64_t i = 0; i < group_; ++i) loop_.Post(*runnables_[first + i]);
    }
  }

  void Collect() {
    const uint64_t ran = ran_.count.load(std::memory_order_acquire);
    if ((ended_ + 1) * group_ > ran) return;
    const auto now = Tally::Now();
    for (; (ended_ + 1) * group_ <= ran; ++ended_) tally_.Done(began_[ended_ % began_.size()], group_, now);
  }

  executor::Loop& loop_;
  Tally& tally_;
  const uint64_t group_;
  std::vector<Tally::Instant> began_;  // a ring, as long as groups may be under way
  uint64_t begun_ = 0;
  uint64_t ended_ = 0;
  std::vector<std::unique_ptr<PostedRunnable>> runnables_;
  Ran ran_;
};

void Post(Tally& tally, bool runnables) {
  executor::LoopThread thread(executor::Loop::Options{.name = "posted-to"});
  Poster(thread.loop(), tally, 64, 64, runnables).Run();
}

// --- bytes -----------------------------------------------------------------------------------------------------------

int64_t ResidentBytes() {
  int64_t size = 0;
  int64_t resident = 0;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "r"), &std::fclose);
  MUSTER_CHECK(file != nullptr && std::fscanf(file.get(), "%ld %ld", &size, &resident) == 2);
  return resident * sysconf(_SC_PAGESIZE);
}

coro::Task<absl::Status> WaitFor(coro::CancelToken& token, coro::Event* event) {
  co_return co_await event->Wait(token);
}

coro::Task<int64_t> Suspended(int count) {
  coro::CancelToken token;
  coro::Event event;
  coro::Scope scope;
  const int64_t before = ResidentBytes();
  for (int i = 0; i < count; ++i) scope.Spawn(WaitFor, &event);
  // What is ready runs in order, so this comes back when all of them wait.
  const absl::Status yielded = co_await coro::Yield(token);
  MUSTER_CHECK(yielded.ok());
  const int64_t bytes = ResidentBytes() - before;
  event.Set();
  const absl::Status joined = co_await scope.Join(token);
  MUSTER_CHECK(joined.ok());
  co_return bytes;
}

int Main(int argc, char** argv) {
  Tally::Plan time;
  std::string mode = "spawn";
  int batch = 1000;
  int count = 1000000;
  CLI::App app("Measures the executor by itself, and prints it as JSON.");
  app.add_option("--mode", mode, "What to measure.")
      ->check(CLI::IsMember({"spawn", "spawn_cancellable", "post", "post_runnable", "bytes"}));
  app.add_option("--batch", batch, "Tasks that are spawned before they are joined.")->check(CLI::Range(1, 1000000));
  app.add_option("--count", count, "Coroutines that wait, for bytes.")->check(CLI::Range(1, 100000000));
  app.add_option("--seconds", time.seconds, "How long to measure.")->check(CLI::PositiveNumber);
  app.add_option("--warmup", time.warmup_seconds, "Seconds before it measures.")->check(CLI::NonNegativeNumber);
  app.add_option("--operations-max", time.operations_max, "End after so many, warm-up included; 0: no limit.");
  CLI11_PARSE(app, argc, argv);

  if (mode == "bytes") {
    const double bytes = static_cast<double>(executor::SyncWait(Suspended(count)));
    fmt::print("{{\"operations_total\": {}, \"bytes\": {:.1f}}}\n", count, bytes / count);
    return 0;
  }
  Tally tally(time);
  if (mode == "post" || mode == "post_runnable") {
    Post(tally, mode == "post_runnable");
  } else {
    executor::SyncWait(SpawnBatches(tally, batch, mode == "spawn_cancellable"));
  }
  tally.Close();
  if (!tally.measured_anything()) {
    std::fprintf(stderr, "bench_executor: too little ended after the warm-up; raise --seconds or --operations-max\n");
    return 1;
  }
  fmt::print("{{{}}}\n", tally.ToJson());
  return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
