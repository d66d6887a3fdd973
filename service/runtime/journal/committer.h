// What writes to the journal: it takes whatever batches all loops have handed over since it looked last, appends them
// as one, and sends each home when it is durable. While it does so the next ones gather (group commit).
//
// A port: the server's has a thread of its own (thread_committer.h); a simulation's commits when it is told.
//
// Threading: Submit and Write from any thread; neither blocks. Lifetime: outlives the loops' last Submit; StopBlocking
// comes before the loops stop, because commits are posted home.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/coro/runnable.h"
#include "service/executor/loop.h"
#include "service/store/journal.h"

namespace muster::runtime {

// One loop's batch on its way. The loop runs it when it is durable, or when `status` says that it will not be.
struct Commit : coro::Runnable {
  Commit(coro::Runnable::Entry on_written, executor::Loop* l) : Runnable(on_written), loop(l) {}

  store::Batch batch;
  executor::Loop* const loop;
  absl::Status status;
};

class Committer {
 public:
  struct Options {
    // Called by who appends after each append that succeeded: how long it took, and of how many rows and loops'
    // batches it was.
    std::function<void(base::Duration took, size_t rows, size_t batches)> on_commit;
    // Once, by who appends, before anybody else hears of it: the journal has failed for good.
    std::function<void(const absl::Status& failure)> on_failure;
  };

  Committer() = default;
  virtual ~Committer() = default;
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // `commit` stays alive until it has come home. Commits are appended in the order of the calls.
  virtual void Submit(Commit& commit) = 0;
  // For rows that nobody waits for. Whatever is submitted later is durable only when this is.
  virtual void Write(std::unique_ptr<store::Batch> batch) = 0;
  // Writes what was submitted, then ends. Idempotent.
  virtual void StopBlocking() = 0;
  // Nothing is submitted that is not written. For manual time.
  virtual bool idle() const = 0;
};

// Batches that become one append: what every committer does once it has taken some. One thread at a time.
class GroupCommit {
 public:
  struct Item {
    Commit* commit;  // null: the batch is owned
    std::unique_ptr<store::Batch> owned;
  };

  // `journal` outlives it; `epoch` is what its TakeOver gave.
  GroupCommit(store::Journal& journal, uint32_t epoch, Committer::Options options);

  // Appends all; after the first failure nothing any more.
  void Append(const std::vector<Item>& items);
  // Then: posts each commit home with what became of it.
  void SendHome(std::vector<Item>& items);

 private:
  store::Journal& journal_;
  const uint32_t epoch_;
  const Committer::Options options_;
  const base::SystemClock clock_;  // for how long things took
  absl::Status failure_;
  std::vector<const store::Batch*> batches_;  // reused
};

}  // namespace muster::runtime
