// A service without its wire: real shards, real loops (one or three), a pool, a manual clock, and bodies that a test
// can hold and let go.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/reason.h"
#include "service/coro/event.h"
#include "service/coro/scope.h"
#include "service/coro/sleep.h"
#include "service/dispatch/directory.h"
#include "service/executor/blocking_pool.h"
#include "service/executor/loop.h"
#include "service/executor/manual_time.h"
#include "service/executor/sync_wait.h"
#include "service/jobs/error.h"
#include "service/jobs/registry.h"
#include "service/runtime/service.h"
#include "service/runtime/store.h"
#include "service/store/memory_journal.h"

namespace muster::runtime {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A door that a blocking body stands before until the test opens it.
class Gate {
 public:
  void WaitBlocking() {
    base::MutexLock lock(mutex_);
    ++arrived_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void Open() {
    base::MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void WaitForArrivals(int count) {
    base::MutexLock lock(mutex_);
    while (arrived_ < count) changed_.Wait(mutex_);
  }
  int arrived() {
    base::MutexLock lock(mutex_);
    return arrived_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool open_ MUSTER_GUARDED_BY(mutex_) = false;
  int arrived_ MUSTER_GUARDED_BY(mutex_) = 0;
};

// What a fixture runs on: some loops, with or without a journal.
struct Setting {
  int loops = 1;
  bool journaled = false;
};
inline void PrintTo(const Setting& setting, std::ostream* out) {
  *out << setting.loops << (setting.journaled ? " loops, a journal" : " loops");
}
// For INSTANTIATE_TEST_SUITE_P: each test with one loop and three, in memory and with a journal.
inline auto EverySetting() {
  return testing::Values(Setting{1, false}, Setting{3, false}, Setting{1, true}, Setting{3, true});
}
inline std::string NameOfSetting(const testing::TestParamInfo<Setting>& info) {
  return fmt::format("{}Loops{}", info.param.loops, info.param.journaled ? "Journaled" : "");
}

class ServiceFixture : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override { Start(Service::Options{}); }
  void TearDown() override { Stop(); }

  void Start(Service::Options options) {
    gate_ = std::make_unique<Gate>();
    registry_ = std::make_unique<jobs::Registry>();
    RegisterBodies();
    executor::BlockingPool::Options pool;
    pool.threads = 2;
    pool.clock = &clock_;
    pool_ = std::make_unique<executor::BlockingPool>(std::move(pool));
    std::vector<executor::Loop*> loops;
    for (int i = 0; i < LoopCount(); ++i) {
      executor::Loop::Options loop;
      loop.name = "loop-" + std::to_string(i);
      loop.clock = &clock_;
      loop.manual_clock = true;
      loop.turn_time_max = std::chrono::minutes(1);  // what shares a turn must not depend on how busy the machine is
      loops_.push_back(std::make_unique<executor::LoopThread>(loop));
      loops.push_back(&loops_.back()->loop());
    }
    directory_ = std::make_unique<dispatch::Directory>();
    if (GetParam().journaled) {
      OpenStoreFor(options);
    } else {
      ASSERT_TRUE(directory_->ServeAll(*registry_).ok());
    }
    service_ = std::make_unique<Service>(options, *directory_, loops, *pool_, clock_, ObserverOf());
    if (GetParam().journaled) {
      absl::StatusOr<Recovered> recovered = service_->Recover();
      ASSERT_TRUE(recovered.ok()) << recovered.status().ToString();
      recovered_ = *recovered;
      service_->Resume();
    }
    ns_ = *service_->OpenNamespace("default");
    time_ = std::make_unique<executor::ManualTime>(clock_, loops, std::vector<executor::BlockingPool*>{pool_.get()},
                                                   [this] { return service_->JournalIdle(); });
  }

  // For fixtures that put something in between, or start again otherwise than they began.
  virtual std::unique_ptr<store::Journal> OpenJournal() { return store::OpenMemoryJournal(disk_); }
  virtual Observer& ObserverOf() { return observer_; }
  virtual int LoopCount() const { return GetParam().loops; }

  void OpenStoreFor(Service::Options& options) {
    journal_ = OpenJournal();
    absl::StatusOr<Store> opened = OpenStore(*journal_, *registry_, *directory_, store_options_);
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    store_ = std::make_unique<Store>(*std::move(opened));
    options.store = store_.get();
    options.shards = store_->shards;
    options.incarnation = store_->epoch;
  }

  void Stop() {
    if (service_ == nullptr) return;
    gate_->Open();
    service_->CancelAllJobs("the test is over");
    pool_->Shutdown(seconds(10));
    ASSERT_TRUE(time_->WaitUntilQuietBlocking(seconds(10)));
    EXPECT_EQ(service_->RunningJobs(), 0u);
    service_->StopJournal();
    for (auto& loop : loops_) loop->StopAndJoin();
    service_.reset();
    pool_.reset();
    loops_.clear();
    store_.reset();
    journal_.reset();
  }

  virtual void RegisterBodies() {
    ASSERT_TRUE(registry_->AddAsync("echo", "", {}, &Echo).ok());
    ASSERT_TRUE(registry_->AddAsync("sleep", "", {}, &SleepBody).ok());
    ASSERT_TRUE(registry_->AddAsync("fail", "", {}, &Fail).ok());
    ASSERT_TRUE(registry_->AddAsync("stubborn", "", {}, &Stubborn).ok());
    ASSERT_TRUE(registry_->AddAsync("cancel_self", "", {}, &CancelSelf).ok());
    ASSERT_TRUE(registry_->AddAsync("throw", "", {}, &Throw).ok());
    ASSERT_TRUE(registry_->AddAsync("await", "", {}, &AwaitBody).ok());
    ASSERT_TRUE(registry_->AddAsync("parent", "", {}, &Parent).ok());
    ASSERT_TRUE(registry_->AddAsync("count", "", {}, &Count).ok());
    ASSERT_TRUE(registry_
                    ->AddBlocking("gate", "", {},
                                  [this](jobs::BlockingContext&, jobs::Payload) -> absl::StatusOr<jobs::Payload> {
                                    gate_->WaitBlocking();
                                    return jobs::Payload::Text("through");
                                  })
                    .ok());
  }

  static coro::Task<absl::StatusOr<jobs::Payload>> Echo(jobs::JobContext&, jobs::Payload input) { co_return input; }
  // Sleeps as many seconds as its text says.
  static coro::Task<absl::StatusOr<jobs::Payload>> SleepBody(jobs::JobContext& context, jobs::Payload input) {
    absl::Status slept = co_await context.Sleep(seconds(std::stoi(input.body())));
    if (!slept.ok()) co_return slept;
    co_return jobs::Payload::Text("slept");
  }
  static coro::Task<absl::StatusOr<jobs::Payload>> Fail(jobs::JobContext&, jobs::Payload input) {
    co_return jobs::Failure("ValueError", input.body());
  }
  // Cancels itself and meets no await afterwards; fails if its text is "fail".
  static coro::Task<absl::StatusOr<jobs::Payload>> CancelSelf(jobs::JobContext& context, jobs::Payload input) {
    const absl::StatusOr<core::CancelEffect> effect =
        co_await context.Cancel(*values::FutureId::Parse(context.id()), "self");
    if (!effect.ok()) co_return effect.status();
    if (input.body() == "fail") co_return jobs::Failure("ValueError", "stands");
    co_return input;
  }
  // Swallows one cancel and returns a value.
  static coro::Task<absl::StatusOr<jobs::Payload>> Stubborn(jobs::JobContext& context, jobs::Payload) {
    absl::Status slept = co_await context.Sleep(seconds(1000));
    co_return jobs::Payload::Text(slept.ok() ? "slept" : "no: " + std::string(slept.message()));
  }
  static coro::Task<absl::StatusOr<jobs::Payload>> Throw(jobs::JobContext& context, jobs::Payload) {
    absl::Status slept = co_await context.Sleep(seconds(0));
    if (slept.ok()) throw std::runtime_error("thrown");
    co_return slept;
  }
  // Awaits the future whose id is its text; "self" is its own.
  static coro::Task<absl::StatusOr<jobs::Payload>> AwaitBody(jobs::JobContext& context, jobs::Payload input) {
    const std::string text = input.body() == "self" ? context.id() : input.body();
    co_return co_await context.AwaitValue(*values::FutureId::Parse(text));
  }
  // As AwaitBody; then takes cancels back until none is left and returns how many there were (and what came).
  static coro::Task<absl::StatusOr<jobs::Payload>> Count(jobs::JobContext& context, jobs::Payload input) {
    absl::StatusOr<jobs::Payload> value = co_await context.AwaitValue(*values::FutureId::Parse(input.body()));
    int taken_back = 0;
    while (context.token().cancelling() > 0) {
      context.Uncancel();
      ++taken_back;
    }
    absl::Status slept = co_await context.Sleep(seconds(0));
    co_return jobs::Payload::Text(fmt::format("{} {} {}", taken_back, value.ok() ? value->body() : "raised",
                                              slept.ok() ? "went on" : "cancelled"));
  }
  // Submits two children, gathers them and returns what came of it.
  static coro::Task<absl::StatusOr<jobs::Payload>> Parent(jobs::JobContext& context, jobs::Payload input) {
    values::GatherSpec gather;
    for (int i = 0; i < 2; ++i) {
      jobs::ChildCall child("echo", jobs::Payload::Text(input.body() + std::to_string(i)));
      absl::StatusOr<values::FutureId> id = co_await context.Submit(std::move(child));
      if (!id.ok()) co_return id.status();
      gather.members.push_back(*id);
    }
    values::FutureSpec spec = std::move(gather);
    absl::StatusOr<values::FutureId> all = co_await context.Combine(std::move(spec));
    if (!all.ok()) co_return all.status();
    absl::StatusOr<values::OutcomeRef> outcome = co_await context.Await(*all);
    if (!outcome.ok()) co_return outcome.status();
    std::string joined;
    for (const values::OutcomeRef& member : (*outcome)->gathered) joined += member->value.body() + " ";
    co_return jobs::Payload::Text(joined);
  }

  executor::Loop& LoopAt(int i) { return loops_[static_cast<size_t>(i) % loops_.size()]->loop(); }
  template <typename T>
  T On(int loop, coro::Task<T> task) {
    return executor::SyncWait(LoopAt(loop), std::move(task));
  }
  void Advance(base::Duration by) { ASSERT_TRUE(time_->AdvanceBlocking(by, seconds(20))); }
  void Quiet() { ASSERT_TRUE(time_->WaitUntilQuietBlocking(seconds(20))); }

  core::Submit Job(const std::string& function, const std::string& text = "") {
    const dispatch::Function* found = directory_->Find(function);
    values::JobSpec spec;
    spec.function = found->id;
    spec.kind = found->kind;
    spec.input = jobs::Payload::Text(text);
    return Spec(std::move(spec));
  }
  core::Submit Spec(values::FutureSpec spec) {
    core::Submit command;
    command.ns = ns_.id;
    command.ns_tag = ns_.tag;
    command.spec = std::move(spec);
    return command;
  }
  static void Request(core::Submit& command, const std::string& id) {
    if (command.options == nullptr) command.options = std::make_unique<values::Options>();
    command.options->request_id = id;
  }

  absl::StatusOr<SubmitAnswer> TrySubmit(core::Submit command, int loop = 0) {
    return On(loop, service_->Submit(std::move(command)));
  }
  values::FutureId SubmitOk(core::Submit command, int loop = 0) {
    absl::StatusOr<SubmitAnswer> answer = TrySubmit(std::move(command), loop);
    EXPECT_TRUE(answer.ok()) << answer.status().ToString();
    return answer.ok() ? answer->id : values::FutureId{};
  }
  // A future on another shard than the home ones: a request id decides.
  values::FutureId SubmitElsewhere(core::Submit command, int number) {
    Request(command, "elsewhere-" + std::to_string(number));
    return SubmitOk(std::move(command));
  }
  core::FutureView View(values::FutureId id, int loop = 0) {
    absl::StatusOr<core::FutureView> view = On(loop, service_->Get(ns_.id, id, true));
    EXPECT_TRUE(view.ok()) << view.status().ToString();
    return view.ok() ? *std::move(view) : core::FutureView{};
  }
  absl::StatusOr<WaitAnswer> Wait(std::vector<values::FutureId> ids, values::ReturnWhen when,
                                  std::optional<base::Duration> timeout = std::nullopt, int loop = 0) {
    core::FutureSet set;
    set.ids = std::move(ids);
    coro::CancelToken token;
    return On(loop, service_->Wait(ns_.id, std::move(set), when, timeout, true, token));
  }
  core::CancelEffect CancelOne(values::FutureId id, const std::string& message = "") {
    core::FutureSet set;
    set.ids = {id};
    auto answer = On(0, service_->Cancel(ns_.id, std::move(set), message));
    EXPECT_TRUE(answer.ok()) << answer.status().ToString();
    return answer->front().second;
  }
  void Settle(values::FutureId id, const std::string& text) {
    core::SettlePromise settle;
    settle.ns = ns_.id;
    settle.id = id;
    settle.outcome = values::Outcome::Value(jobs::Payload::Text(text));
    auto state = On(0, service_->SettlePromise(std::move(settle)));
    EXPECT_TRUE(state.ok()) << state.status().ToString();
  }
  Service::Stats Stats() { return On(0, service_->CollectStats()); }

  base::ManualClock clock_;
  NullObserver observer_;
  // With a journal: what outlives a Stop and the next Start.
  std::shared_ptr<store::MemoryStore> disk_ = std::make_shared<store::MemoryStore>();
  StoreOptions store_options_{.shards = 64, .epoch_at_least = 1, .version = "test", .fail_unknown_functions = false};
  std::unique_ptr<store::Journal> journal_;
  std::unique_ptr<Store> store_;
  Recovered recovered_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<jobs::Registry> registry_;
  std::unique_ptr<dispatch::Directory> directory_;
  std::unique_ptr<executor::BlockingPool> pool_;
  std::vector<std::unique_ptr<executor::LoopThread>> loops_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<executor::ManualTime> time_;
  values::Namespace ns_;
};

}  // namespace muster::runtime
