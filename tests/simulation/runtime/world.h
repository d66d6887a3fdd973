// Random clients of a server that dies now and then: the real runtime with all its loops, its committer and its
// journal, on one thread, under one virtual clock. Which loop has its turn, when rows become durable, when time moves,
// when the server dies, and what the clients ask for follows from the seed.
//
// What is judged: what was acknowledged is never lost; an outcome that somebody has seen stays, for whoever asks after
// that; everybody who waits is answered in the end; and when all is over nothing is left behind, in memory or on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "service/coro/cancel.h"
#include "service/executor/sync_wait.h"
#include "tests/simulation/random.h"
#include "tests/simulation/runtime/server.h"

namespace muster::simulation {

struct RuntimePlan {
  uint64_t seed = 1;
  int loops = 1;
  int steps = 400;
  bool trace = false;
};

class RuntimeWorld {
 public:
  RuntimeWorld(const RuntimePlan& plan, executor::BlockingPool& pool);
  ~RuntimeWorld();
  // Aborts on the first disagreement.
  void Run();

  uint64_t operations() const { return operations_; }
  uint64_t crashes() const { return crashes_; }
  // Of everything that clients were told, in order: equal seeds give equal hashes.
  uint64_t hash() const { return hash_; }

 private:
  // What a client has under way. Its coroutine lives on a loop; what it comes to is looked at if the server that it
  // asked still lives then.
  struct Operation {
    virtual ~Operation() = default;
    std::string what;
    coro::CancelToken token;
    size_t loop = 0;
    bool over = false;
  };
  template <typename T>
  struct OperationOf;

  // What clients know of a future since its submit was acknowledged.
  struct Known {
    values::FutureKind kind = values::FutureKind::kJob;
    std::string group;
    std::optional<std::string> outcome;  // that somebody has seen
    bool deleting = false;               // somebody wants it to go: nothing is known of it any more
  };
  using Ids = std::vector<values::FutureId>;

  // --- clients.cc: what they ask for, and what they make of the answers
  void Act();
  void Submit();
  core::Submit NewSubmit();
  values::FutureSpec NewCombinator();
  core::Submit Job(const std::string& function, const std::string& text);
  void Call();
  void Settle();
  void Cancel();
  void Wait();
  void Stream();
  void Take();
  void Get();
  void Delete();
  void ListGroup();
  void ListAll();
  void Leave();
  void OnSubmitted(const absl::StatusOr<runtime::SubmitAnswer>& answer, const Known& made, const std::string& request);
  // Whether somebody wants the future of this request id to go.
  bool IsDeleted(const std::string& request) const;
  void OnWaited(const absl::StatusOr<runtime::WaitAnswer>& answer, const Ids& ids, values::ReturnWhen when,
                const std::set<values::FutureId>& seen);
  // Reads a stream to its end.
  static coro::Task<absl::StatusOr<Ids>> ReadAll(RuntimeWorld& world, runtime::Service& service, core::FutureSet set,
                                                 runtime::StreamOptions options, coro::CancelToken& token);

  std::optional<values::FutureId> Pick(std::optional<values::FutureKind> kind = std::nullopt);
  Ids PickSome(uint64_t most);
  core::FutureSet SetOf(const Ids& ids) const;
  // Those of `ids` whose outcome somebody has seen by now.
  std::set<values::FutureId> SeenOf(const Ids& ids) const;
  void Saw(const values::FutureId& id, values::State state, const values::OutcomeRef& outcome);
  // Refusals that the end of a server gives.
  bool EndsWell(const absl::Status& status) const;
  void ExpectOk(const absl::Status& status, const std::string& what) const;

  // --- world.cc: machinery
  template <typename T>
  Operation& Ask(const std::string& what, std::function<coro::Task<T>(coro::CancelToken&)> make,
                 std::function<void(T)> then);
  void Step();
  void FailDisk();
  void MoveTime(base::Duration most);
  void Collect();
  void Crash();
  void Restart(std::shared_ptr<store::MemoryStore> disk);
  void CheckAllThere();
  void CloseEverything();
  void CheckNothingLeft();
  // Runs one operation to its end.
  void RunToEnd(const Operation& operation);
  void RegisterBodies(jobs::Registry& registry);
  static coro::Task<absl::StatusOr<jobs::Payload>> Number(RuntimeWorld& world, jobs::JobContext&, jobs::Payload);
  void Note(const std::string& what);

  const RuntimePlan plan_;
  Random random_;
  base::ManualClock clock_;
  Server::Setting setting_;
  std::unique_ptr<Server> server_;
  values::Namespace ns_;
  uint64_t life_ = 0;
  bool disk_failed_ = false;
  bool ending_ = false;  // the server's refusals are no surprise

  std::list<std::unique_ptr<Operation>> open_;
  std::map<values::FutureId, Known> known_;
  std::map<std::string, values::FutureId> requests_;
  uint64_t last_run_ = 0;  // of bodies, whichever
  uint64_t last_value_ = 0;
  uint64_t operations_ = 0;
  uint64_t crashes_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325ull;
};

template <typename T>
struct RuntimeWorld::OperationOf final : Operation {
  std::optional<executor::detail::SyncWaiter<T>> waiter;
};

template <typename T>
RuntimeWorld::Operation& RuntimeWorld::Ask(const std::string& what,
                                           std::function<coro::Task<T>(coro::CancelToken&)> make,
                                           std::function<void(T)> then) {
  ++operations_;
  auto made = std::make_unique<OperationOf<T>>();
  OperationOf<T>& operation = *made;
  open_.push_back(std::move(made));
  operation.what = what;
  operation.loop = random_.Below(server_->loops());
  operation.waiter.emplace(make(operation.token));
  operation.waiter->on_done = [this, &operation, then = std::move(then), life = life_] {
    operation.over = true;
    // Who has left, or asked a server that is dead, hears nothing.
    if (life == life_ && operation.token.cancelling() == 0) then(operation.waiter->Take());
  };
  Note("ask " + what);
  server_->loop(operation.loop).Post([&operation] { operation.waiter->Start(); });
  return operation;
}

}  // namespace muster::simulation
