#include "tests/simulation/runtime/server.h"

#include <algorithm>
#include <string>
#include <utility>

#include "service/executor/poller.h"
#include "tests/simulation/model.h"

namespace muster::simulation {
namespace {

constexpr values::ShardIndex kShards = 6;

// Nobody polls: the loops' turns are called.
class NoPoller final : public executor::Poller {
 public:
  Result Poll(base::Duration) override { return Result::kNothing; }
  void Wake() override {}
  void Shutdown() override {}
};

}  // namespace

Server::Server(const Setting& setting, std::shared_ptr<store::MemoryStore> disk, Random& random)
    : setting_(setting), random_(random), disk_(std::move(disk)), journal_(store::OpenMemoryJournal(disk_)) {
  setting_.register_bodies(registry_);
  runtime::StoreOptions options;
  options.shards = kShards;
  options.version = "simulation";
  absl::StatusOr<runtime::Store> opened = runtime::OpenStore(*journal_, registry_, directory_, options);
  SIM_EXPECT(opened.ok(), "the store does not open: " + opened.status().ToString());
  store_ = std::make_unique<runtime::Store>(*std::move(opened));
  Open();
}

Server::~Server() = default;

void Server::Open() {
  std::vector<executor::Loop*> loops;
  for (int at = 0; at < setting_.loops; ++at) {
    executor::Loop::Options loop;
    loop.name = "loop-" + std::to_string(at);
    loop.clock = setting_.clock;
    loop.manual_clock = true;
    loop.turn_time_max = std::chrono::hours(1);  // of real time, which must decide nothing
    loops_.push_back(std::make_unique<executor::Loop>(loop, std::make_unique<NoPoller>()));
    loops.push_back(loops_.back().get());
  }
  runtime::Service::Options options;
  options.store = store_.get();
  options.shards = store_->shards;
  options.incarnation = store_->epoch;
  options.make_committer = [this](store::Journal& journal, uint32_t epoch, runtime::Committer::Options then) {
    auto committer = std::make_unique<ManualCommitter>(journal, epoch, std::move(then));
    committer_ = committer.get();
    return committer;
  };
  service_ = std::make_unique<runtime::Service>(options, directory_, std::move(loops), *setting_.pool, *setting_.clock,
                                                observer_);
  const absl::StatusOr<runtime::Recovered> recovered = service_->Recover();
  SIM_EXPECT(recovered.ok(), "what was committed is damaged: " + recovered.status().ToString());
  bool flushed = false;
  service_->WhenFlushed([&flushed] { flushed = true; });
  RunUntilQuiet();
  SIM_EXPECT(flushed, "a flush does not end");
  service_->Open();
}

bool Server::TurnSome() {
  const size_t first = random_.Below(loops_.size());
  for (size_t at = 0; at < loops_.size(); ++at) {
    executor::Loop& loop = *loops_[(first + at) % loops_.size()];
    if (!loop.ready()) continue;
    loop.TurnOnce();
    return true;
  }
  return false;
}

bool Server::quiet() const {
  return committer_->idle() &&
         std::none_of(loops_.begin(), loops_.end(), [](const auto& loop) { return loop->ready(); });
}

void Server::RunUntilQuiet() {
  for (int step = 0; !quiet(); ++step) {
    SIM_EXPECT(step < 100'000, "the loops never come to rest");
    if (!TurnSome() || random_.OneIn(3)) committer_->CommitAll();
  }
}

base::Instant Server::NextDeadline() const {
  base::Instant next = base::kNever;
  for (const auto& loop : loops_) next = std::min(next, loop->first_deadline());
  return next;
}

void Server::End() {
  service_->BeginDrain();
  service_->CancelAllJobs("the server is shutting down");
  RunUntilQuiet();
  SIM_EXPECT(service_->RunningJobs() == 0, "a body outlives the server's end");
  service_->FinishDrain();
  bool closed = false;
  service_->WhenJournalClosed([&closed] { closed = true; });
  RunUntilQuiet();
  SIM_EXPECT(closed, "the journal is never closed");
}

}  // namespace muster::simulation
