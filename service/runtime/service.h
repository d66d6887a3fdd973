// The service without its wire: every verb as a coroutine, over all shards and loops.
//
// Threading: each verb is called from a coroutine that runs on one of the service's loops and resumes there. What names
// no shard (a submit without request id) stays on the caller's loop; a future of another loop's shard costs one post
// each way. Cancelling the caller's token ends the call, never the futures (semantics 98).
// Lifetime: destroyed after its loops have stopped and before they are; drain first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/base/clock.h"
#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/core/shard.h"
#include "service/coro/cancel.h"
#include "service/coro/task.h"
#include "service/dispatch/directory.h"
#include "service/executor/blocking_pool.h"
#include "service/executor/loop.h"
#include "service/runtime/namespaces.h"
#include "service/runtime/observer.h"
#include "service/values/limits.h"

namespace muster::runtime {

struct SubmitAnswer {
  values::FutureId id;
  values::State state = values::State::kPending;
  bool deduplicated = false;
};

struct WaitAnswer {
  bool timed_out = false;
  std::vector<core::Completion> done;
  std::vector<values::FutureId> pending;
};

struct ListAnswer {
  std::vector<core::FutureView> futures;
  std::string next_page_token;  // empty at the end
};

// Hears of one submission made with SubmitAttached, on the loop it was made from. Lives until OnDone or OnRejected has
// been called, or the submission has been detached.
class CallReceiver {
 public:
  virtual ~CallReceiver() = default;
  virtual void OnAccepted(const SubmitAnswer& answer) = 0;
  virtual void OnRejected(const absl::Status& refusal) = 0;
  virtual void OnDone(core::Completion completion) = 0;
};

// as_completed over a set (semantics 37-42).
class CompletionStream {
 public:
  virtual ~CompletionStream() = default;  // detaches

  struct Batch {
    std::vector<core::Completion> completions;
    uint64_t remaining = 0;
    bool ended = false;        // the last batch
    bool timed_out = false;    // and it ended because the timeout ran out
    std::string resume_token;  // goes on behind this batch
  };
  // Waits until something is there: completions (at most `max`), the end or the timeout. After `ended` it must not be
  // called again. Cancelled when the token is.
  virtual coro::Task<absl::StatusOr<Batch>> Next(size_t max, coro::CancelToken& token) = 0;
  // Members that are not delivered yet and run: their progress, for those that reported any; at most `max`.
  virtual coro::Task<std::vector<core::FutureView>> Progress(size_t max) = 0;
};

struct StreamOptions {
  bool take_outcomes = true;
  bool bounded = false;  // whether `timeout` means anything
  base::Duration timeout{0};
  std::string resume_token;
  bool as_waiter = false;  // of Gather, which waits for all: counted and limited as a waiter, not as a stream
};

struct Store;

struct Recovered {
  uint64_t futures = 0;
  uint64_t pending = 0;
};

class Service {
 public:
  struct Options {
    values::Limits limits;
    // Where everything survives: the store that OpenStore has opened. Null: nothing does.
    Store* store = nullptr;
    uint32_t incarnation = 1;
    values::ShardIndex shards = 64;  // fixed for the life of a journal
    base::Duration call_retention = std::chrono::seconds(60);
    size_t blocking_queue_max = 10'000;  // blocking jobs accepted and not running; the pool's queue holds as many
  };

  // One shard runner a loop is made here; `loops` must not be running yet.
  // With a store, everything is refused with RECOVERING until Recover and Resume have been called.
  Service(Options options, dispatch::Directory& directory, std::vector<executor::Loop*> loops,
          executor::BlockingPool& pool, const base::Clock& clock, Observer& observer);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Takes up again what the store holds. Blocks; on any one thread, while the loops may run already but nothing has
  // been asked of the service. DATA_LOSS: what is stored contradicts itself. FAILED_PRECONDITION: it needs what this
  // server does not have.
  absl::StatusOr<Recovered> Recover();
  // Opens the service; jobs that were left start, in order. Blocks until what Recover has decided is durable, while the
  // loops run.
  void Resume();
  // Any thread.
  bool recovering() const;
  // Whether the journal has failed: nothing changes any more. Any thread.
  bool store_failed() const;
  // Nothing is on its way to the journal. For manual time.
  bool JournalIdle() const;
  // New futures are refused with STORE_FULL while it is set. Any thread.
  void SetStoreFull(bool full);
  // Blocks until everything that has happened on the loops by now is durable, and whoever waited for it has been told.
  void FlushBlocking();
  // Blocks until everything that has happened on the loops is durable, then stops the journal's thread; what happens
  // afterwards is not recorded. The last step of a drain before the loops stop.
  void StopJournal();

  const values::Limits& limits() const;
  const dispatch::Directory& directory() const;
  const base::Clock& clock() const;

  // Makes it on first use. INVALID_FIELD, TOO_MANY_NAMESPACES. Any thread.
  absl::StatusOr<values::Namespace> OpenNamespace(std::string_view name);
  // Any thread.
  std::string NamespaceName(values::NamespaceId id) const;
  uint64_t NamespaceCount() const;
  // What the futures of all namespaces hold, and those of one.
  int64_t BytesHeld() const;
  int64_t BytesHeld(values::NamespaceId ns) const;

  // `command.token` and `attach` are set here. Refusals as in core/, and TOO_MANY_FUTURES, TOO_MANY_BYTES,
  // TOO_MANY_REQUEST_IDS, QUEUE_FULL, DRAINING.
  coro::Task<absl::StatusOr<SubmitAnswer>> Submit(core::Submit command);
  // Submit and await. When `token` is cancelled first the future lives on for `call_retention`, unless
  // `cancel_on_disconnect`.
  coro::Task<absl::StatusOr<core::Completion>> Call(core::Submit command, coro::CancelToken& token,
                                                    bool cancel_on_disconnect);
  // The same without a coroutine: for streams with many items in flight. The receiver may be called before this
  // returns. 0 when it was rejected or done at once; else a handle for DetachAttached.
  core::Token SubmitAttached(core::Submit command, CallReceiver* receiver);
  // The receiver hears no more; the future lives on for `call_retention` after its end.
  void DetachAttached(core::Token handle);

  // EMPTY_SET, SET_TOO_LARGE, TOO_MANY_WAITERS, unknown ids. `timeout` absent: unbounded.
  coro::Task<absl::StatusOr<WaitAnswer>> Wait(values::NamespaceId ns, core::FutureSet set,
                                              values::ReturnWhen return_when, std::optional<base::Duration> timeout,
                                              bool take_outcomes, coro::CancelToken& token);
  // An empty set ends at once (semantics 37). TOO_MANY_STREAMS, INVALID_RESUME_TOKEN, unknown ids.
  coro::Task<absl::StatusOr<std::unique_ptr<CompletionStream>>> AsCompleted(values::NamespaceId ns, core::FutureSet set,
                                                                            StreamOptions options);
  // The members of a group, in order of creation within each shard. EMPTY_SET when there are none.
  coro::Task<absl::StatusOr<std::vector<values::FutureId>>> GroupMembers(values::NamespaceId ns, std::string group);

  coro::Task<absl::StatusOr<core::FutureView>> Get(values::NamespaceId ns, values::FutureId id, bool take_outcome);
  // The outcomes of `ids`, each at its place, if all are done, and without `also_failed` if all have succeeded; else
  // none. `ids` outlives the call.
  coro::Task<std::vector<values::OutcomeRef>> TakeOutcomes(values::NamespaceId ns,
                                                           const std::vector<values::FutureId>& ids, bool also_failed);
  coro::Task<absl::StatusOr<ListAnswer>> List(core::ListFutures query, std::string page_token);
  // For ids: in input order. For a group: its live members.
  coro::Task<absl::StatusOr<std::vector<std::pair<values::FutureId, core::CancelEffect>>>> Cancel(
      values::NamespaceId ns, core::FutureSet set, std::string message);
  // One status an id.
  coro::Task<absl::StatusOr<std::vector<std::pair<values::FutureId, absl::Status>>>> Delete(values::NamespaceId ns,
                                                                                            core::FutureSet set);
  coro::Task<absl::StatusOr<values::State>> SettlePromise(core::SettlePromise command);

  // From any thread: submits are refused with DRAINING from now on, and open waits and streams end with it. Calls go
  // on: their jobs have the drain's grace to end.
  void BeginDrain();
  // From any thread: open calls end with DRAINING too; the grace is over.
  void FinishDrain();
  // From any thread: jobs whose bodies run or are queued to.
  uint64_t RunningJobs() const;
  struct Queued {
    uint64_t for_room = 0;  // until the place that runs their function has room; those counted as running, too
    uint64_t unserved = 0;  // because nobody serves their function
  };
  // From any thread: jobs that are ready and run nowhere.
  Queued QueuedJobs() const;
  // From any thread: cancels every running body; the last step of a drain's grace. With a store the bodies' ends are
  // not recorded: the next run of the server runs them again.
  void CancelAllJobs(std::string message);

  struct Stats {
    core::ShardStats shards;  // summed
    uint64_t running = 0;
    uint64_t abandoned = 0;  // blocking threads whose future has ended
    uint64_t namespaces = 0;
    int64_t bytes = 0;
  };
  // Collected on every loop; resumes on the caller's.
  coro::Task<Stats> CollectStats();
  // Aborts on what must never be, in any shard. For tests.
  coro::Task<void> CheckInvariants();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::runtime
