// A random program over shards of futures: clients, bodies, a network between the shards, and a clock that jumps from
// one event to the next. Everything follows from the seed.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/core/shard.h"
#include "tests/simulation/model.h"
#include "tests/simulation/random.h"
#include "tests/support/record_store.h"
#include "tests/support/shard_asks.h"

namespace muster::simulation {

struct Plan {
  uint64_t seed = 1;
  int steps = 120;
  int shards = 1;
  bool crashes = false;
  bool trace = false;
};

class World {
 public:
  explicit World(const Plan& plan);
  // Aborts on the first disagreement.
  void Run();

 private:
  static constexpr values::NamespaceId kNs = 1;
  static constexpr values::NamespaceId kOtherNs = 2;

  // --- Bodies (bodies.cc): what the dispatcher of a server would run -----------------------------------------------
  enum class Policy { kEnd, kSwallow, kRaise };
  struct Op {
    enum class Kind { kSleep, kAwait, kProgress, kUncancel } kind;
    base::Duration sleep{0};
  };
  struct Body {
    values::FutureId id;
    uint32_t attempt = 1;
    bool blocking = false;
    bool quick = false;  // starts and ends within one turn: no JobStarted
    bool withdrawn = false;
    bool started = false;
    bool ended = false;
    std::vector<Op> ops;
    size_t at = 0;
    uint64_t generation = 0;  // a sleep that was interrupted has an older one
    core::Token await = core::kNoToken;
    Policy policy = Policy::kEnd;
    int ending = 0;  // 0 value, 1 error, 2 raises cancelled
  };
  void OnStartJob(const core::StartJob& start);
  void OnWithdrawJob(const core::WithdrawJob& withdraw);
  void OnCancelJob(const core::CancelJob& cancel);
  void OnAwaitEnded(const core::AwaitEnded& ended);
  void StartBody(Body& body);
  void Continue(Body& body);
  void SeeCancelled(Body& body, const std::string& message);
  void EndBody(Body& body, values::OutcomeRef outcome);

  // --- Clients ----------------------------------------------------------------------------------------------------
  void ClientStep();
  core::Submit NewSubmit(values::FutureSpec spec, bool plain);
  void SubmitJob();
  void SubmitPromise();
  void SubmitCombinator();
  void SettlePromise();
  void CancelSome();
  void AttachWait();
  void AttachStream();
  void ResumeStream();
  void TakeSome();
  void LeaveSome();
  void DeleteSome();
  void LookAround();
  void LateWord();

  // --- Crashes (crash.cc) -------------------------------------------------------------------------------------------
  core::ShardOptions OptionsOf(size_t shard) const;
  void Crash();
  void ResumeAfterCrash();

  // --- Machinery ----------------------------------------------------------------------------------------------------
  // Thrown from where the server died, so that nobody goes on as if it had not.
  struct Crashed {};
  template <typename C>
  void Do(size_t shard, C command) {
    core::Effects out;
    shards_[shard]->Apply(std::move(command), now_, out);
    Commit(shard, out);
    Absorb(shard, out, false);
  }
  // Makes what a call has done durable; or the server dies before that, and what it did has never been.
  void Commit(size_t shard, core::Effects& out) {
    if (!plan_.crashes) return;
    if (!closing_ && random_.OneIn(60)) {
      out.clear();
      Crash();
      throw Crashed();
    }
    stores_[shard]->Commit(*shards_[shard]);
  }
  void Absorb(size_t shard, core::Effects& out, bool ticked);
  void On(size_t shard, core::Effect& effect);
  void OnSubmitted(size_t shard, const core::Submitted& answer);
  void OnCancelAnswered(const core::CancelAnswered& answer);
  void Send(size_t from, size_t to, core::ShardMessage message);
  void Deliver(size_t from, size_t to);

  struct Event {
    enum class Kind { kStart, kContinue, kCancel, kMessage } kind;
    values::FutureId id;
    uint64_t generation = 0;
    std::string message;
    size_t from = 0, to = 0;
  };
  void At(base::Instant when, Event event) { events_.emplace(when, std::move(event)); }
  // Jumps to the next event or deadline, not beyond `until`; false when there is none.
  bool Advance(base::Instant until = base::kNever);
  void RunEvent(const Event& event);
  void CloseEverything();
  void CheckEmpty();

  base::Duration SomeTime(uint64_t most) { return std::chrono::seconds(random_.Below(most + 1)); }
  std::optional<values::FutureId> Pick(bool undone = false, std::optional<size_t> shard = std::nullopt);
  std::vector<values::FutureId> PickSet(size_t shard, size_t most);
  bool Visible(const KnownFuture& future) const { return !future.dropped && !future.deleted; }
  void Trace(const std::string& what) const;

  const Plan plan_;
  Random random_;
  Model model_;
  base::Instant now_{std::chrono::seconds(1'000'000)};
  std::vector<std::unique_ptr<core::Shard>> shards_;
  std::vector<std::unique_ptr<test::RecordStore>> stores_;
  std::vector<std::pair<OpenStream, std::vector<values::FutureId>>> left_streams_;
  uint32_t incarnation_ = 1;
  std::multimap<base::Instant, Event> events_;
  std::map<std::pair<size_t, size_t>, std::deque<core::ShardMessage>> network_;
  std::map<std::pair<size_t, size_t>, base::Instant> last_arrival_;
  size_t under_way_ = 0;

  std::map<values::FutureId, Body> bodies_;
  std::set<values::FutureId> ran_;  // of those that may run once
  std::map<core::Token, values::FutureId> awaiting_;
  struct Asked {
    std::vector<values::FutureId> members;
    bool return_exceptions = false;
    bool has_timeout = false;
    values::FutureKind kind = values::FutureKind::kJob;
    bool attach = false;
  };
  std::map<core::Token, Asked> asked_;
  std::map<core::Token, bool> calls_;  // true once its submit was answered
  std::map<core::Token, std::vector<values::FutureId>> stream_ids_;
  std::vector<values::FutureId> ids_;
  core::Token last_token_ = 0;
  bool closing_ = false;
};

}  // namespace muster::simulation
