// The one thread that writes to the journal: it takes whatever batches all loops have handed over since it looked last,
// appends them as one, and sends each home when it is durable. While it does so the next ones gather (group commit).
//
// Threading: Submit and Write from any thread; neither blocks. Lifetime: outlives the loops' last Submit; StopBlocking
// comes before the loops stop, because commits are posted home.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"
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
    // Called on the writer's thread after each append that succeeded: how long it took, and of how many rows and loops'
    // batches it was.
    std::function<void(base::Duration took, size_t rows, size_t batches)> on_commit;
    // Once, on the writer's thread, before anybody else hears of it: the journal has failed for good.
    std::function<void(const absl::Status& failure)> on_failure;
  };

  // `journal` outlives it; `epoch` is what its TakeOver gave.
  Committer(store::Journal& journal, uint32_t epoch, Options options);
  ~Committer();

  // `commit` stays alive until it has come home. Commits are appended in the order of the calls.
  void Submit(Commit& commit);
  // For rows that nobody waits for. Whatever is submitted later is durable only when this is.
  void Write(std::unique_ptr<store::Batch> batch);

  // Writes what was submitted, then ends. Idempotent.
  void StopBlocking();

  store::Journal& journal() { return journal_; }
  // Nothing is submitted that is not written. For manual time.
  bool idle() const { return under_way_.load(std::memory_order_seq_cst) == 0; }

 private:
  struct Item {
    Commit* commit;  // null: the batch is owned
    std::unique_ptr<store::Batch> owned;
  };

  void Push(Item item);
  void Run();
  void AppendAll(std::vector<Item>& items);

  store::Journal& journal_;
  const uint32_t epoch_;
  const Options options_;
  const base::SystemClock clock_;  // for how long things took

  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<Item> queue_ MUSTER_GUARDED_BY(mutex_);
  bool stop_ MUSTER_GUARDED_BY(mutex_) = false;
  // Added to by Submit before the loop may sleep, taken from after the post home: so who sees 0, and the loops asleep,
  // sees all of it done.
  std::atomic<int64_t> under_way_{0};
  absl::Status failure_;                      // writer's thread
  std::vector<const store::Batch*> batches_;  // writer's thread
  base::Thread thread_;
};

}  // namespace muster::runtime
