// A service on a journal that a test holds, lets fail, and starts again from whatever a crash would have left.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/gated_journal.h"
#include "tests/unit/runtime/service_fixture.h"

namespace muster::runtime {

inline std::atomic<int> answers_so_far{0};

// Something asked of the service that may not be answered yet. Take before it goes.
template <typename T>
class Asked {
 public:
  Asked(executor::Loop& loop, coro::Task<T> task) : waiter_(std::move(task)) {
    waiter_.on_done = [this] {
      place_.store(++answers_so_far);
      waiter_.NotifyDone();
    };
    loop.Post([this] { waiter_.Start(); });
  }
  bool answered() const { return place_.load() != 0; }
  // Among all answers; 0: not yet.
  int place() const { return place_.load(); }
  T Take() {
    waiter_.WaitBlocking();
    return waiter_.Take();
  }

 private:
  std::atomic<int> place_{0};
  executor::detail::SyncWaiter<T> waiter_;
};

class DurableFixture : public ServiceFixture {
 protected:
  // A run of a body, as the body saw it.
  struct Run {
    uint32_t attempt = 0;
    uint32_t epoch = 0;
  };

  void SetUp() override {
    ServiceFixture::SetUp();
    Quiet();  // the namespace has been written, so that no test counts that
  }
  void TearDown() override {
    if (gated_ != nullptr) gated_->Open();
    ServiceFixture::TearDown();
  }
  std::unique_ptr<store::Journal> OpenJournal() override {
    auto journal = std::make_unique<test::GatedJournal>(disk_);
    gated_ = journal.get();
    return journal;
  }
  int LoopCount() const override { return loops_now_ > 0 ? loops_now_ : GetParam().loops; }

  void RegisterBodies() override {
    ServiceFixture::RegisterBodies();
    const auto async = [this](jobs::JobContext& context, jobs::Payload input) {
      return RunAndRest(*this, context, std::move(input));
    };
    ASSERT_TRUE(registry_->AddAsync("rest", "", {}, async).ok());
    const auto keep = [this](jobs::JobContext& context, jobs::Payload input) {
      return RunOnce(*this, context, std::move(input));
    };
    ASSERT_TRUE(registry_->AddAsync("run", "", {}, keep).ok());
    const auto blocking = [this](jobs::BlockingContext& context, jobs::Payload input) {
      Note(context);
      return absl::StatusOr<jobs::Payload>(std::move(input));
    };
    ASSERT_TRUE(registry_->AddBlocking("run-blocking", "", {}, blocking).ok());
    const auto stand = [this](jobs::BlockingContext& context, jobs::Payload input) {
      Note(context);
      gate_->WaitBlocking();
      return absl::StatusOr<jobs::Payload>(std::move(input));
    };
    ASSERT_TRUE(registry_->AddBlocking("stand", "", {}, stand).ok());
  }
  // Notes that it runs, then sleeps until it is cancelled.
  static coro::Task<absl::StatusOr<jobs::Payload>> RunAndRest(DurableFixture& self, jobs::JobContext& context,
                                                              jobs::Payload input) {
    self.Note(context);
    absl::Status slept = co_await context.Sleep(std::chrono::hours(100));
    if (!slept.ok()) co_return slept;
    co_return input;
  }
  static coro::Task<absl::StatusOr<jobs::Payload>> RunOnce(DurableFixture& self, jobs::JobContext& context,
                                                           jobs::Payload input) {
    self.Note(context);
    co_return input;
  }
  void Note(const jobs::BlockingContext& context) {
    base::MutexLock lock(mutex_);
    runs_[context.id()].push_back({context.attempt(), context.epoch()});
    ++run_count_;
    changed_.NotifyAll();
  }
  std::vector<Run> RunsOf(values::FutureId id) {
    base::MutexLock lock(mutex_);
    return runs_[id.ToText()];
  }
  std::map<std::string, std::vector<Run>> TakeRuns() {
    base::MutexLock lock(mutex_);
    return std::exchange(runs_, {});
  }
  std::map<std::string, std::vector<Run>> CopyRuns() {
    base::MutexLock lock(mutex_);
    return runs_;
  }
  size_t AllRuns() {
    base::MutexLock lock(mutex_);
    return run_count_;
  }
  void WaitForRuns(size_t count) {
    base::MutexLock lock(mutex_);
    while (run_count_ < count) changed_.Wait(mutex_);
  }

  // Every loop sleeps with nothing to do; the journal may be held, and bodies on the pool.
  void LoopsQuiet() {
    std::vector<executor::Loop*> loops;
    for (auto& loop : loops_) loops.push_back(&loop->loop());
    executor::ManualTime time(clock_, loops, {});
    ASSERT_TRUE(time.WaitUntilQuietBlocking(seconds(20)));
  }

  // Ends this server, whose last acts are lost, and starts another one on `disk`.
  void StartAgainFrom(std::shared_ptr<store::MemoryStore> disk, int loops = 0, Service::Options options = {}) {
    End();
    StartFrom(std::move(disk), loops, options);
  }
  // The two halves of it. Bodies of the old server may start as long as End has not returned, since on its own disk
  // it goes on, and those still on the pool run to their end.
  void End() {
    gated_->Open();
    Stop();
    gated_ = nullptr;
  }
  void StartFrom(std::shared_ptr<store::MemoryStore> disk, int loops = 0, Service::Options options = {}) {
    disk_ = std::move(disk);
    loops_now_ = loops;
    Start(options);
  }
  void StartAgain() { StartAgainFrom(disk_, loops_now_); }

  template <typename T>
  std::unique_ptr<Asked<T>> Ask(int loop, coro::Task<T> task) {
    return std::make_unique<Asked<T>>(LoopAt(loop), std::move(task));
  }
  auto AskSubmit(core::Submit command, int loop = 0) { return Ask(loop, service_->Submit(std::move(command))); }
  auto AskGet(values::FutureId id, int loop = 0) { return Ask(loop, service_->Get(ns_.id, id, true)); }
  auto AskWait(std::vector<values::FutureId> ids, int loop = 0) {
    return Ask(loop, WaitFor(*service_, ns_.id, SetOf(std::move(ids))));
  }
  auto AskCall(core::Submit command, int loop = 0) { return Ask(loop, CallFor(*service_, std::move(command))); }
  auto AskNext(std::vector<values::FutureId> ids, int loop = 0) {
    return Ask(loop, NextOf(*service_, ns_.id, SetOf(std::move(ids))));
  }
  auto AskSettle(values::FutureId id, const std::string& text, int loop = 0) {
    core::SettlePromise settle;
    settle.ns = ns_.id;
    settle.id = id;
    settle.outcome = values::Outcome::Value(jobs::Payload::Text(text));
    return Ask(loop, service_->SettlePromise(std::move(settle)));
  }
  auto AskCancel(values::FutureId id, int loop = 0) { return Ask(loop, service_->Cancel(ns_.id, SetOf({id}), "stop")); }
  auto AskList(int loop = 0) {
    core::ListFutures query;
    query.ns = ns_.id;
    return Ask(loop, service_->List(query, ""));
  }
  auto AskGroup(const std::string& group, int loop = 0) { return Ask(loop, service_->GroupMembers(ns_.id, group)); }

  static core::FutureSet SetOf(std::vector<values::FutureId> ids) {
    core::FutureSet set;
    set.ids = std::move(ids);
    return set;
  }
  static coro::Task<absl::StatusOr<WaitAnswer>> WaitFor(Service& service, values::NamespaceId ns, core::FutureSet set) {
    coro::CancelToken token;
    co_return co_await service.Wait(ns, std::move(set), values::ReturnWhen::kAllCompleted, std::nullopt, true, token);
  }
  static coro::Task<absl::StatusOr<core::Completion>> CallFor(Service& service, core::Submit command) {
    coro::CancelToken token;
    co_return co_await service.Call(std::move(command), token, false);
  }
  static coro::Task<absl::StatusOr<CompletionStream::Batch>> NextOf(Service& service, values::NamespaceId ns,
                                                                    core::FutureSet set) {
    StreamOptions options;
    auto stream = co_await service.AsCompleted(ns, std::move(set), options);
    if (!stream.ok()) co_return stream.status();
    coro::CancelToken token;
    co_return co_await (*stream)->Next(100, token);
  }

  core::Submit Once(core::Submit command) {
    if (command.options == nullptr) command.options = std::make_unique<values::Options>();
    command.options->execution = values::Execution::kAtMostOnce;
    return command;
  }
  core::Submit Requested(core::Submit command, const std::string& id) {
    Request(command, id);
    return command;
  }
  base::Reason ReasonFor(const absl::Status& status) {
    const auto reason = base::ReasonOf(status);
    EXPECT_TRUE(reason.has_value()) << status.ToString();
    return reason.value_or(base::Reason::kInternal);
  }

  test::GatedJournal* gated_ = nullptr;  // journal_
  int loops_now_ = 0;                    // 0: as the parameter says
  base::Mutex mutex_;
  base::CondVar changed_;
  std::map<std::string, std::vector<Run>> runs_ MUSTER_GUARDED_BY(mutex_);
  size_t run_count_ MUSTER_GUARDED_BY(mutex_) = 0;
};

inline auto JournaledSettings() { return testing::Values(Setting{1, true}, Setting{3, true}); }

}  // namespace muster::runtime
