#include "tests/simulation/runtime/world.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "service/rows/rows.h"
#include "tests/simulation/model.h"
#include "tests/support/gated_journal.h"

namespace muster::simulation {
namespace {

// Sleeps as many seconds as its text says.
coro::Task<absl::StatusOr<jobs::Payload>> Sleep(jobs::JobContext& context, jobs::Payload input) {
  absl::Status slept = co_await context.Sleep(std::chrono::seconds(std::stoi(input.body())));
  if (!slept.ok()) co_return slept;
  co_return input;
}

// Swallows one cancel and returns a value.
coro::Task<absl::StatusOr<jobs::Payload>> Stubborn(jobs::JobContext& context, jobs::Payload) {
  const absl::Status slept = co_await context.Sleep(std::chrono::seconds(50));
  co_return jobs::Payload::Text(slept.ok() ? "slept" : "no");
}

// Awaits the future whose id is its text.
coro::Task<absl::StatusOr<jobs::Payload>> Await(jobs::JobContext& context, jobs::Payload input) {
  co_return co_await context.AwaitValue(*values::FutureId::Parse(input.body()));
}

// Submits two children and gathers them.
coro::Task<absl::StatusOr<jobs::Payload>> Parent(jobs::JobContext& context, jobs::Payload) {
  values::GatherSpec gather;
  for (int i = 0; i < 2; ++i) {
    jobs::ChildCall child("sleep", jobs::Payload::Text(std::to_string(i)));
    absl::StatusOr<values::FutureId> id = co_await context.Submit(std::move(child));
    if (!id.ok()) co_return id.status();
    gather.members.push_back(*id);
  }
  values::FutureSpec spec = std::move(gather);
  absl::StatusOr<values::FutureId> all = co_await context.Combine(std::move(spec));
  if (!all.ok()) co_return all.status();
  co_return co_await context.AwaitValue(*all);
}

coro::Task<bool> Check(runtime::Service& service) {
  co_await service.CheckInvariants();
  co_return true;
}

}  // namespace

// Each run comes to something of its own: so one that ran again after its outcome was seen gives itself away.
coro::Task<absl::StatusOr<jobs::Payload>> RuntimeWorld::Number(RuntimeWorld& world, jobs::JobContext&, jobs::Payload) {
  co_return jobs::Payload::Text("run " + std::to_string(++world.last_run_));
}

void RuntimeWorld::RegisterBodies(jobs::Registry& registry) {
  const auto number = [this](jobs::JobContext& context, jobs::Payload input) {
    return Number(*this, context, std::move(input));
  };
  const bool added =
      registry.AddAsync("number", "", {}, number).ok() && registry.AddAsync("sleep", "", {}, &Sleep).ok() &&
      registry.AddAsync("stubborn", "", {}, &Stubborn).ok() && registry.AddAsync("await", "", {}, &Await).ok() &&
      registry.AddAsync("parent", "", {}, &Parent).ok();
  SIM_EXPECT(added, "a body is not registered");
}

RuntimeWorld::RuntimeWorld(const RuntimePlan& plan, executor::BlockingPool& pool) : plan_(plan), random_(plan.seed) {
  setting_.loops = plan.loops;
  setting_.clock = &clock_;
  setting_.pool = &pool;
  setting_.register_bodies = [this](jobs::Registry& registry) { RegisterBodies(registry); };
  Restart(std::make_shared<store::MemoryStore>());
}

RuntimeWorld::~RuntimeWorld() = default;

void RuntimeWorld::Note(const std::string& what) {
  for (const char c : what) {
    hash_ ^= static_cast<unsigned char>(c);
    hash_ *= 0x100000001b3ull;
  }
  if (plan_.trace) {
    printf("%8.3f %s\n", static_cast<double>(clock_.Now().time_since_epoch().count() % 100'000'000'000) / 1e6,
           what.c_str());
  }
}

void RuntimeWorld::Run() {
  for (int step = 0; step < plan_.steps; ++step) Step();
  CloseEverything();
  CheckAllThere();
  CheckNothingLeft();
  server_->End();
  Collect();
}

void RuntimeWorld::Step() {
  Collect();
  const uint64_t choice = random_.Below(200);
  if (choice < 60) {
    if (open_.size() < 8) Act();
  } else if (choice < 150) {
    server_->TurnSome();
  } else if (choice < 185) {
    server_->committer().CommitSome(1 + random_.Below(3));
  } else if (choice < 196) {
    if (server_->quiet() || random_.OneIn(3)) MoveTime(std::chrono::seconds(30));
  } else if (choice == 196 && !disk_failed_ && random_.OneIn(2)) {
    FailDisk();
  } else if (choice >= 198 && (disk_failed_ || random_.OneIn(3))) {
    Crash();
  }
}

// With several things under way, some of them decided and not durable.
void RuntimeWorld::FailDisk() {
  Note("the disk fails");
  disk_failed_ = true;
  {
    base::MutexLock lock(server_->disk().mutex);
    server_->disk().appends_left = 0;
  }
  for (uint64_t more = random_.Below(8); more > 0; --more) {
    Act();
    if (random_.OneIn(2)) server_->TurnSome();
  }
}

void RuntimeWorld::MoveTime(base::Duration most) {
  const base::Instant next = server_->NextDeadline();
  if (next <= base::Later(clock_.Now(), most)) clock_.AdvanceTo(next);
}

void RuntimeWorld::Collect() {
  open_.remove_if([](const auto& operation) { return operation->over; });
}

// The rows that are durable now are all that is left. The old server is then ended on a disk of its own, so that its
// coroutines end; but for one time in four, when it ends in good order and its last answers count.
void RuntimeWorld::Crash() {
  ++crashes_;
  const bool in_order = random_.OneIn(4);
  Note(in_order ? "the server ends" : "the server dies");
  ending_ = in_order;
  if (server_->service().store_failed() && random_.OneIn(2)) {
    server_->RunUntilQuiet();
    Collect();
    SIM_EXPECT(open_.empty(), "somebody never hears that the disk has failed: " + open_.front()->what);
  }
  std::shared_ptr<store::MemoryStore> left;
  if (!in_order) {
    left = test::CopyOf(server_->disk());
    ++life_;
  }
  server_->End();
  if (in_order) left = test::CopyOf(server_->disk());
  Collect();
  SIM_EXPECT(open_.empty(), "somebody is never answered: " + open_.front()->what);
  ending_ = false;
  Restart(std::move(left));
}

void RuntimeWorld::Restart(std::shared_ptr<store::MemoryStore> disk) {
  ++life_;
  disk_failed_ = false;
  server_.reset();
  server_ = std::make_unique<Server>(setting_, std::move(disk), random_);
  const absl::StatusOr<values::Namespace> ns = server_->service().OpenNamespace("default");
  SIM_EXPECT(ns.ok(), ns.status().ToString());
  SIM_EXPECT(ns_.id == 0 || ns_.id == ns->id, "the namespace has another number");
  ns_ = *ns;
  if (random_.OneIn(2)) CheckAllThere();
}

void RuntimeWorld::RunToEnd(const Operation& operation) {
  for (int step = 0; !operation.over; ++step) {
    SIM_EXPECT(step < 100'000, "not answered: " + operation.what);
    if (!server_->TurnSome()) server_->committer().CommitSome(1);
  }
}

// What was acknowledged is there, and what was seen of it is so still.
void RuntimeWorld::CheckAllThere() {
  for (const auto& [id, known] : known_) {
    if (known.deleting) continue;
    const values::FutureId asked = id;
    const Operation& get = Ask<absl::StatusOr<core::FutureView>>(
        "look for " + id.ToText(),
        [this, asked](coro::CancelToken&) { return server_->service().Get(ns_.id, asked, true); },
        [this, asked, seen = known.outcome.has_value()](const absl::StatusOr<core::FutureView>& view) {
          if (disk_failed_ && EndsWell(view.status())) return;
          SIM_EXPECT(view.ok(), "what was acknowledged is lost: " + asked.ToText() + ": " + view.status().ToString());
          SIM_EXPECT(!seen || values::IsDone(view->state), "what was seen done is not: " + asked.ToText());
          if (values::IsDone(view->state)) Saw(asked, view->state, view->outcome);
        });
    RunToEnd(get);
  }
  RunToEnd(Ask<bool>("invariants", [this](coro::CancelToken&) { return Check(server_->service()); }, [](bool) {}));
}

// Cancels all there is, whoever made it, until everything is done and everybody has been answered.
void RuntimeWorld::CloseEverything() {
  if (disk_failed_) Crash();
  for (int round = 0; round < 200; ++round) {
    server_->RunUntilQuiet();
    Collect();
    const auto pending = std::make_shared<uint64_t>(0);
    RunToEnd(Ask<runtime::Service::Stats>(
        "stats", [this](coro::CancelToken&) { return server_->service().CollectStats(); },
        [pending](const runtime::Service::Stats& stats) { *pending = stats.shards.pending; }));
    Collect();
    if (*pending == 0 && open_.empty()) return;
    const auto ids = std::make_shared<Ids>();
    core::ListFutures query;
    query.ns = ns_.id;
    query.max = 10'000;
    RunToEnd(Ask<absl::StatusOr<runtime::ListAnswer>>(
        "list", [this, query](coro::CancelToken&) { return server_->service().List(query, ""); },
        [ids](const absl::StatusOr<runtime::ListAnswer>& answer) {
          SIM_EXPECT(answer.ok(), answer.status().ToString());
          for (const core::FutureView& view : answer->futures) {
            if (!values::IsDone(view.state)) ids->push_back(view.id);
          }
        }));
    if (!ids->empty()) {
      RunToEnd(Ask<absl::StatusOr<std::vector<std::pair<values::FutureId, core::CancelEffect>>>>(
          "cancel all",
          [this, ids](coro::CancelToken&) { return server_->service().Cancel(ns_.id, SetOf(*ids), "it is over"); },
          [](const auto& answer) { SIM_EXPECT(answer.ok(), answer.status().ToString()); }));
    }
    MoveTime(std::chrono::minutes(5));
  }
  Fail("it does not come to an end: " + (open_.empty() ? "futures are pending" : open_.front()->what));
}

// Time goes on until all has expired.
void RuntimeWorld::CheckNothingLeft() {
  for (int step = 0; server_->NextDeadline() != base::kNever; ++step) {
    SIM_EXPECT(step < 10'000, "timers without end");
    clock_.AdvanceTo(server_->NextDeadline());
    server_->RunUntilQuiet();
  }
  RunToEnd(Ask<runtime::Service::Stats>(
      "stats", [this](coro::CancelToken&) { return server_->service().CollectStats(); },
      [](const runtime::Service::Stats& stats) {
        const core::ShardStats& s = stats.shards;
        SIM_EXPECT(
            s.futures + s.waits + s.streams + s.calls + s.links + s.pins + s.request_ids + s.groups + s.timers == 0,
            "something is left behind in memory");
        SIM_EXPECT(stats.running == 0 && stats.bytes == 0, "jobs or bytes are left behind");
      }));
  server_->RunUntilQuiet();
  base::MutexLock lock(server_->disk().mutex);
  for (const auto& [row, value] : server_->disk().rows) {
    const absl::StatusOr<rows::Key> key = rows::ParseKey(row);
    SIM_EXPECT(key.ok(), key.status().ToString());
    SIM_EXPECT(key->table != rows::Table::kFuture && key->table != rows::Table::kRequest, "rows are left behind");
  }
}

}  // namespace muster::simulation
