// What a server finds on its disk: its own, somebody else's, an older registry's, damaged.
#include "service/runtime/store.h"

#include <map>
#include <set>

#include "service/rows/rows.h"
#include "tests/unit/runtime/durable_fixture.h"

namespace muster::runtime {
namespace {

using ::testing::HasSubstr;
using values::State;

class StoreTest : public DurableFixture {
 protected:
  void SetUp() override {
    store_options_.shards = 4;
    DurableFixture::SetUp();
  }
  // The usual ones, and those that a test wants before them; none that it has taken away.
  void RegisterBodies() override {
    for (const std::string& name : first_) ASSERT_TRUE(registry_->AddAsync(name, "", {}, &Echo).ok());
    DurableFixture::RegisterBodies();
    if (has_gone_) {
      ASSERT_TRUE(registry_->AddAsync("gone", "", {}, &GoneBody).ok());
      const auto nothing = [](jobs::BlockingContext&, jobs::Payload input) {
        return absl::StatusOr<jobs::Payload>(input);
      };
      ASSERT_TRUE(registry_->AddBlocking("blocking-gone", "", {}, nothing).ok());
    }
  }
  // Echoes what it is given, save nothing: then it runs until it is cancelled.
  static coro::Task<absl::StatusOr<jobs::Payload>> GoneBody(jobs::JobContext& context, jobs::Payload input) {
    if (!input.body().empty()) co_return input;
    absl::Status slept = co_await context.Sleep(std::chrono::hours(100));
    if (!slept.ok()) co_return slept;
    co_return input;
  }

  using Rows = std::map<std::string, std::string, std::less<>>;
  Rows RowsNow() {
    base::MutexLock lock(disk_->mutex);
    return disk_->rows;
  }
  static std::shared_ptr<store::MemoryStore> DiskOf(Rows rows) {
    auto disk = std::make_shared<store::MemoryStore>();
    base::MutexLock lock(disk->mutex);
    disk->rows = std::move(rows);
    disk->epoch = 100;
    return disk;
  }
  absl::StatusOr<Store> Open(const std::shared_ptr<store::MemoryStore>& disk) {
    const auto journal = store::OpenMemoryJournal(disk);
    dispatch::Directory directory;
    absl::StatusOr<Store> store = OpenStore(*journal, *registry_, directory, store_options_);
    if (store.ok()) store->journal = nullptr;  // it ends here
    return store;
  }
  // A server beside the fixture's that starts on `rows` and ends before it resumes any job.
  absl::StatusOr<Recovered> TryRecover(Rows rows) {
    const auto journal = store::OpenMemoryJournal(DiskOf(std::move(rows)));
    auto its = std::make_unique<jobs::Registry>();
    registry_.swap(its);  // RegisterBodies fills the fixture's
    RegisterBodies();
    registry_.swap(its);
    dispatch::Directory directory;
    absl::StatusOr<Store> store = OpenStore(*journal, *its, directory, store_options_);
    if (!store.ok()) return store.status();
    executor::BlockingPool::Options pool_options;
    pool_options.threads = 1;
    pool_options.clock = &clock_;
    executor::BlockingPool pool(std::move(pool_options));
    executor::Loop::Options loop;
    loop.clock = &clock_;
    loop.manual_clock = true;
    executor::LoopThread thread(loop);
    Service::Options options;
    options.store = &*store;
    options.shards = store->shards;
    options.incarnation = store->epoch;
    auto service = std::make_unique<Service>(options, directory, std::vector<executor::Loop*>{&thread.loop()}, pool,
                                             clock_, observer_);
    absl::StatusOr<Recovered> recovered = service->Recover();
    pool.Shutdown(seconds(10));
    service->StopJournal();
    thread.StopAndJoin();
    return recovered;
  }
  // Something in each table.
  void FillEveryTable() {
    SubmitOk(Job("echo", "done"));
    SubmitOk(Job("rest", "its input"));
    const values::FutureId promise = SubmitOk(Spec(values::PromiseSpec{}));
    values::GatherSpec gather;
    gather.members = {promise};
    SubmitOk(Spec(gather));
    const values::FutureId deleted = SubmitOk(Requested(Job("echo", "x"), "remembered"));
    LoopsQuiet();
    ASSERT_TRUE(On(0, service_->Delete(ns_.id, SetOf({deleted}))).ok());
    Quiet();
  }

  std::vector<std::string> first_;
  bool has_gone_ = true;
};
INSTANTIATE_TEST_SUITE_P(Loops, StoreTest, testing::Values(Setting{1, true}), NameOfSetting);

std::string HeaderKeyText() {
  std::string key;
  rows::HeaderKey(key);
  return key;
}

TEST_P(StoreTest, FreshOnceThenReopenedWithItsOwnShardsAndALaterEpoch) {
  const auto disk = std::make_shared<store::MemoryStore>();
  store_options_.shards = 8;
  store_options_.epoch_at_least = 5;
  const auto made = Open(disk);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(made->fresh);
  EXPECT_EQ(made->shards, 8u);
  EXPECT_GE(made->epoch, 5u);
  store_options_.shards = 32;  // of a new one only
  const auto again = Open(disk);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->fresh);
  EXPECT_EQ(again->shards, 8u);
  EXPECT_GT(again->epoch, made->epoch);
}

TEST_P(StoreTest, ANewerLayoutIsRefusedAndLeftAlone) {
  Rows rows = RowsNow();
  std::string& header = rows[HeaderKeyText()];
  header.clear();
  rows::Encode(rows::HeaderRow{rows::kSchemaVersion + 6, 4, "9.8.7"}, header);
  const auto disk = DiskOf(rows);
  const auto opened = Open(disk);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  const std::string message(opened.status().message());
  EXPECT_THAT(message, HasSubstr("9.8.7"));
  EXPECT_THAT(message, HasSubstr(fmt::format("version {}", rows::kSchemaVersion + 6)));
  EXPECT_THAT(message, HasSubstr(fmt::format("reads up to {}:", rows::kSchemaVersion)));
  base::MutexLock lock(disk->mutex);
  EXPECT_EQ(disk->rows, rows);
  EXPECT_EQ(disk->epoch, 100u);  // nor was it taken from whoever can read it
}

TEST_P(StoreTest, RowsWithoutAHeaderAndImpossibleShardsAreDataLoss) {
  Rows rows = RowsNow();
  rows.erase(HeaderKeyText());
  EXPECT_EQ(Open(DiskOf(rows)).status().code(), absl::StatusCode::kDataLoss);
  for (const uint32_t shards : {0u, 1025u, 0xffffffffu}) {
    std::string& header = rows[HeaderKeyText()];
    header.clear();
    rows::Encode(rows::HeaderRow{rows::kSchemaVersion, shards, "test"}, header);
    EXPECT_EQ(Open(DiskOf(rows)).status().code(), absl::StatusCode::kDataLoss) << shards;
  }
}

TEST_P(StoreTest, FunctionsKeepTheirNumbersWhenTheRegistrysOrderChanges) {
  const values::FutureId rests = SubmitOk(Job("rest"));
  const values::FutureId echoed = SubmitOk(Job("echo", "before"));
  Quiet();
  const values::FunctionId echo = directory_->Find("echo")->id;
  const size_t known = directory_->Known().size();
  first_ = {"new-1", "new-2"};
  StartAgain();
  EXPECT_EQ(directory_->Find("echo")->id, echo);
  EXPECT_EQ(directory_->Find("new-1")->id, known);  // the first that was free
  EXPECT_EQ(directory_->Find("new-2")->id, known + 1);
  Quiet();
  EXPECT_EQ(directory_->At(View(rests).function).name, "rest");
  EXPECT_EQ(View(rests).state, State::kRunning);
  EXPECT_EQ(directory_->At(View(echoed).function).name, "echo");
  const values::FutureId of_new = SubmitOk(Job("new-2", "x"));
  Quiet();
  first_.clear();
  StartAgain();
  EXPECT_EQ(directory_->At(View(rests).function).name, "rest");
  EXPECT_EQ(directory_->At(View(of_new).function).name, "new-2");
}

TEST_P(StoreTest, DoneFuturesOfAMissingFunctionAreStillThere) {
  const values::FutureId done = SubmitOk(Job("gone", "its value"));
  Quiet();
  has_gone_ = false;
  for (int times = 0; times < 2; ++times) {
    StartAgain();
    const core::FutureView view = View(done);
    ASSERT_EQ(view.state, State::kSucceeded);
    EXPECT_EQ(view.outcome->value.body(), "its value");
    EXPECT_EQ(directory_->At(view.function).name, "gone");
    EXPECT_FALSE(directory_->At(view.function).served());
  }
  has_gone_ = true;  // and back again
  StartAgain();
  EXPECT_EQ(View(done).function, directory_->Find("gone")->id);
  EXPECT_TRUE(directory_->Find("gone")->served());
}

TEST_P(StoreTest, JobsOfAMissingFunctionWaitUntilAServerHasIt) {
  std::vector<values::FutureId> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(SubmitOk(Job("gone")));
  const values::FutureId done = SubmitOk(Job("gone", "done"));
  Quiet();
  has_gone_ = false;
  StartAgain();
  Quiet();
  for (const values::FutureId& id : waiting) EXPECT_EQ(View(id).state, State::kQueued);
  EXPECT_EQ(View(done).state, State::kSucceeded);
  EXPECT_EQ(service_->QueuedJobs().unserved, 3u);
  EXPECT_EQ(service_->RunningJobs(), 0u);  // no drain waits for them
  // One that is submitted meanwhile waits beside them; others run, and a cancel finds the one that waits.
  const values::FutureId late = SubmitOk(Job("gone", "late"));
  EXPECT_EQ(View(SubmitOk(Job("echo", "x"))).state, State::kSucceeded);
  EXPECT_EQ(CancelOne(waiting[1]), core::CancelEffect::kCancelled);
  Quiet();
  EXPECT_EQ(View(waiting[1]).state, State::kCancelled);
  EXPECT_EQ(View(late).state, State::kQueued);
  EXPECT_EQ(service_->QueuedJobs().unserved, 3u);
  has_gone_ = true;
  StartAgain();
  Quiet();
  EXPECT_EQ(View(waiting[0]).state, State::kRunning);
  EXPECT_EQ(View(waiting[2]).state, State::kRunning);
  EXPECT_EQ(View(late).state, State::kSucceeded);
  EXPECT_EQ(service_->QueuedJobs().unserved, 0u);
}

TEST_P(StoreTest, AJobOfAMissingFunctionStartsAsSoonAsSomebodyServesIt) {
  const values::FutureId waits = SubmitOk(Job("gone"));
  Quiet();
  has_gone_ = false;
  StartAgain();
  Quiet();
  EXPECT_EQ(View(waits).state, State::kQueued);
  jobs::Registry late;
  ASSERT_TRUE(late.AddAsync("gone", "", {}, &Echo).ok());
  ASSERT_TRUE(directory_->Serve(*late.Find("gone")).ok());
  Quiet();
  EXPECT_EQ(View(waits).state, State::kSucceeded);
}

// What waits for a function that nobody serves is in nobody's way: neither the pool's queue nor a queue timeout of its
// own.
TEST_P(StoreTest, AnUnservedBlockingJobTakesNoRoomAndTimesOutAsItWould) {
  core::Submit job = Job("blocking-gone");
  job.options = std::make_unique<values::Options>();
  job.options->queue_timeout = seconds(60);
  job.options->delay = seconds(1);
  const values::FutureId waits = SubmitOk(std::move(job));
  Quiet();
  has_gone_ = false;
  Service::Options options;
  options.blocking_queue_max = 1;
  StartAgainFrom(disk_, 0, options);
  Advance(seconds(1));
  EXPECT_EQ(service_->QueuedJobs().unserved, 1u);
  EXPECT_EQ(View(SubmitOk(Job("run-blocking", "x"))).id.shard, waits.shard);
  Advance(seconds(60));
  EXPECT_EQ(View(waits).state, State::kFailed);
  EXPECT_EQ(View(waits).outcome->error->kind, values::ErrorKind::kQueueTimedOut);
  EXPECT_EQ(service_->QueuedJobs().unserved, 0u);
}

TEST_P(StoreTest, PendingJobsOfAMissingFunctionFailWhenTheOperatorSaysSo) {
  const values::FutureId waits = SubmitOk(Job("gone"));
  Quiet();
  has_gone_ = false;
  store_options_.fail_unknown_functions = true;
  StartAgainFrom(test::CopyOf(*disk_));
  Quiet();
  const core::FutureView view = View(waits);
  ASSERT_EQ(view.state, State::kFailed);
  EXPECT_EQ(view.outcome->error->type, "UnknownFunction");
  EXPECT_EQ(directory_->Find("gone"), nullptr);  // nor is it submitted any more
  EXPECT_THAT(view.outcome->error->message, HasSubstr("gone"));
}

TEST_P(StoreTest, ADamagedRowOfAnyTableIsDataLoss) {
  FillEveryTable();
  const Rows rows = RowsNow();
  ASSERT_TRUE(TryRecover(rows).ok());
  std::set<std::pair<char, int>> damaged;  // table and, of futures, part: one row of each is enough
  for (const auto& [key, value] : rows) {
    const int part = key[0] == static_cast<char>(rows::Table::kFuture) ? key.back() : 0;
    if (!damaged.emplace(key[0], part).second) continue;
    for (const std::string& bad : {std::string(), std::string("\x7f"), value.substr(0, value.size() - 1), value + "x",
                                   value.substr(0, 1) + std::string(40, '\xff')}) {
      Rows with = rows;
      with[key] = bad;
      EXPECT_EQ(TryRecover(with).status().code(), absl::StatusCode::kDataLoss)
          << "table " << key[0] << ", part " << part << ", " << bad.size() << " bytes instead of " << value.size();
    }
  }
  EXPECT_EQ(damaged, (std::set<std::pair<char, int>>{
                         {'f', 0}, {'f', 1}, {'f', 2}, {'k', 0}, {'n', 0}, {'r', 0}, {'u', 0}, {'v', 0}}));
}

// Each row by itself could be; together they cannot.
TEST_P(StoreTest, RowsThatDoNotFitTogetherAreDataLoss) {
  FillEveryTable();
  const Rows rows = RowsNow();
  std::map<std::string, Rows> broken;
  std::string key, value;
  for (const auto& [each, unused] : rows) {
    Rows without = rows;
    without.erase(each);
    if (each[0] == 'n') broken["a future's namespace is gone"] = without;
    if (each[0] == 'f' && each.back() == 2) broken["a gather's members are gone"] = without;
  }
  for (const auto& [each, unused] : rows) {
    if (each[0] == 'f' && each.back() == 1) {
      broken["an input without its job"] = rows;
      broken["an input without its job"].erase(each.substr(0, each.size() - 1) + '\0');
    }
  }
  Rows no_functions = rows;
  std::erase_if(no_functions, [](const auto& row) { return row.first[0] == 'u'; });
  rows::FunctionKey(1000, key);
  rows::Encode(rows::FunctionRow{"other", values::FunctionKind::kAsync}, value);
  no_functions[key] = value;
  broken["functions are gone"] = no_functions;
  rows::FunctionKey(100'000, key);
  broken["a function's number out of range"] = rows;
  broken["a function's number out of range"][key] = value;
  value.clear();
  rows::Encode(rows::FunctionRow{"echo", values::FunctionKind::kAsync}, value);
  rows::FunctionKey(999, key);
  broken["a function by two numbers"] = rows;
  broken["a function by two numbers"][key] = value;
  value.clear();
  rows::EncodeName("default", value);
  rows::NamespaceKey(9, key);
  broken["a namespace by two numbers"] = rows;
  broken["a namespace by two numbers"][key] = value;
  value.clear();
  rows::EncodeName("zero", value);
  rows::NamespaceKey(0, key);
  broken["namespace 0"] = rows;
  broken["namespace 0"][key] = value;
  broken["a namespace's key cut short"] = rows;
  broken["a namespace's key cut short"]["n\1"] = value;
  EXPECT_EQ(broken.size(), 9u);
  for (const auto& [what, with] : broken) {
    EXPECT_EQ(TryRecover(with).status().code(), absl::StatusCode::kDataLoss) << what;
  }
}

}  // namespace
}  // namespace muster::runtime
