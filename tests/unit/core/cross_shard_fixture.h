// Three shards, whose messages wait in queues until a test lets them through, each once or twice.
#pragma once

#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "tests/unit/core/core_fixture.h"

namespace muster::core {

class CrossShardTest : public testing::TestWithParam<bool> {
 protected:
  static constexpr NamespaceId kNs = 1;
  static constexpr uint16_t kTag = 77;

  CrossShardTest() {
    for (ShardIndex index = 0; index < 3; ++index) {
      ShardOptions options;
      options.index = index;
      options.shards = 3;
      shards.push_back(std::make_unique<Shard>(options));
    }
  }

  template <typename C>
  void Do(size_t at, C command) {
    Effects out;
    shards[at]->Apply(std::move(command), now, out);
    Sort(at, out);
  }
  void Sort(size_t at, Effects& out) {
    shards[at]->CheckInvariants();
    for (Effect& effect : out) {
      if (auto* send = std::get_if<SendToShard>(&effect)) {
        queues[{at, send->shard}].push_back(send->message);
      } else if (auto* answer = std::get_if<Submitted>(&effect)) {
        submitted[answer->token] = *answer;
      } else if (auto* call = std::get_if<CallEnded>(&effect)) {
        calls[call->token] = call->completion;
      } else if (auto* await = std::get_if<AwaitEnded>(&effect)) {
        awaits[await->token] = *await;
      } else if (auto* cancel = std::get_if<CancelJob>(&effect)) {
        if (!cancel->counted_only) cancel_jobs.push_back(*cancel);
      } else if (auto* cancelled = std::get_if<CancelAnswered>(&effect)) {
        effects[cancelled->token] = cancelled->effects.at(0).second;
      } else if (auto* grace = std::get_if<GraceExpired>(&effect)) {
        graces.push_back(*grace);
      } else if (auto* changed = std::get_if<Changed>(&effect)) {
        bytes += changed->bytes_held;
      } else if (auto* dropped = std::get_if<Dropped>(&effect)) {
        bytes += dropped->bytes_held;
        unretrieved += dropped->unretrieved;
      }
    }
  }
  // Lets messages through until none is left; `only` from one shard to another.
  void Deliver() {
    for (bool any = true; any;) {
      any = false;
      for (auto& [pair, queue] : queues) any = DeliverOne(pair) || any;
    }
  }
  bool DeliverOne(std::pair<size_t, size_t> pair) {
    auto& queue = queues[pair];
    if (queue.empty()) return false;
    ShardMessage message = queue.front();
    queue.pop_front();
    if (GetParam()) Do(pair.second, message);  // each twice
    Do(pair.second, std::move(message));
    return true;
  }
  void DeliverAll(size_t from, size_t to) {
    while (DeliverOne({from, to})) {
    }
  }

  Submit Command(FutureSpec spec) {
    Submit command;
    command.token = ++token;
    command.ns = kNs;
    command.ns_tag = kTag;
    command.spec = std::move(spec);
    return command;
  }
  FutureId Make(size_t at, FutureSpec spec) {
    Do(at, Command(std::move(spec)));
    return submitted[token].id;
  }
  FutureId Promise(size_t at) { return Make(at, PromiseSpec{}); }
  FutureId Running(size_t at) {
    const FutureId id = Make(at, JobSpec{});
    JobStarted started;
    started.id = id;
    Do(at, started);
    return id;
  }
  // The token of its submit.
  Token Gather(size_t at, std::vector<FutureId> members, bool return_exceptions = false) {
    Do(at, Command(GatherSpec{std::move(members), return_exceptions}));
    return token;
  }
  Token WaitFor(size_t at, FutureId inner, std::optional<base::Duration> timeout) {
    WaitForSpec spec;
    spec.inner = inner;
    spec.timeout = timeout;
    Do(at, Command(spec));
    return token;
  }
  Token Shield(size_t at, FutureId inner) {
    ShieldSpec spec;
    spec.inner = inner;
    Do(at, Command(spec));
    return token;
  }
  void Settle(FutureId id, OutcomeRef outcome) {
    SettlePromise command;
    command.ns = kNs;
    command.id = id;
    command.outcome = std::move(outcome);
    Do(id.shard, std::move(command));
  }
  void End(FutureId id, OutcomeRef outcome) {
    JobEnded command;
    command.id = id;
    command.outcome = std::move(outcome);
    Do(id.shard, std::move(command));
  }
  CancelEffect CancelOne(FutureId id, std::string message = "") {
    Cancel command;
    command.token = ++token;
    command.ns = kNs;
    command.set.ids = {id};
    command.message = std::move(message);
    Do(id.shard, std::move(command));
    return effects.at(token);
  }
  Token AwaitIn(FutureId job, FutureId target, std::optional<std::string> pending_cancel = std::nullopt) {
    Await command;
    command.pending_cancel = std::move(pending_cancel);
    command.token = ++token;
    command.ns = kNs;
    command.job = job;
    command.target = target;
    Do(job.shard, command);
    return token;
  }
  FutureView Get(FutureId id) {
    const auto view = test::Get(*shards[id.shard], kNs, id, false);
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? *view : FutureView();
  }
  FutureId IdOf(Token submit) {
    EXPECT_EQ(submitted.count(submit), 1u) << "not answered yet";
    EXPECT_TRUE(submitted[submit].refusal.ok()) << submitted[submit].refusal;
    return submitted[submit].id;
  }
  void Advance(base::Duration by) {
    now += by;
    for (size_t at = 0; at < shards.size(); ++at) {
      Effects out;
      shards[at]->Tick(now, out);
      Sort(at, out);
    }
  }
  void ExpectNothingLeft() {
    for (int round = 0; round < 5; ++round) {
      Deliver();
      Advance(std::chrono::hours(48));
    }
    for (const auto& shard : shards) {
      const ShardStats stats = shard->Ask(core::GetStats());
      EXPECT_EQ(stats.futures, 0u);
      EXPECT_EQ(stats.links, 0u);
      EXPECT_EQ(stats.pins, 0u);
      EXPECT_EQ(stats.calls, 0u);
      EXPECT_EQ(stats.timers, 0u);
      EXPECT_EQ(stats.request_ids, 0u);
    }
    EXPECT_EQ(bytes, 0);
  }

  std::vector<std::unique_ptr<Shard>> shards;
  base::Instant now{seconds(1'000'000)};
  std::map<std::pair<size_t, size_t>, std::deque<ShardMessage>> queues;
  Token token = 0;
  std::map<Token, Submitted> submitted;
  std::map<Token, Completion> calls;
  std::map<Token, AwaitEnded> awaits;
  std::map<Token, CancelEffect> effects;
  std::vector<CancelJob> cancel_jobs;
  std::vector<GraceExpired> graces;
  int64_t bytes = 0;
  int unretrieved = 0;
};

}  // namespace muster::core
