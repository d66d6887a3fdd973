// Three shards with a record store each, that crash and are taken up again. Messages between shards are delivered at
// once unless a test holds them; those that are held are lost in a crash.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/record_store.h"
#include "tests/unit/core/core_fixture.h"

namespace muster::core {

using std::chrono::hours;
using std::chrono::minutes;
using testing::SizeIs;

class RestoreTest : public testing::Test {
 protected:
  static constexpr NamespaceId kNs = 1;
  static constexpr uint16_t kTag = 77;
  static constexpr ShardIndex kShards = 3;

  RestoreTest() : stores(kShards) { Boot(); }

  // --- Commands -----------------------------------------------------------------------------------------------------
  template <typename C>
  void Do(size_t at, C command) {
    Effects out;
    shards[at]->Apply(std::move(command), now, out);
    Sort(at, out);
    Deliver();
  }
  static Options Named(std::string name) {
    Options options;
    options.name = std::move(name);
    return options;
  }
  Submit Command(FutureSpec spec, std::optional<Options> options = std::nullopt) {
    Submit command;
    command.token = ++last_token;
    command.ns = kNs;
    command.ns_tag = kTag;
    command.spec = std::move(spec);
    if (options) command.options = std::make_unique<Options>(std::move(*options));
    return command;
  }
  Submitted Answer(size_t at, Submit command) {
    const Token token = command.token;
    Do(at, std::move(command));
    return submitted[token];
  }
  FutureId Make(size_t at, FutureSpec spec, std::optional<Options> options = std::nullopt) {
    const Submitted answer = Answer(at, Command(std::move(spec), std::move(options)));
    EXPECT_TRUE(answer.refusal.ok()) << answer.refusal;
    return answer.id;
  }
  static JobSpec JobOf(const std::string& input, FunctionKind kind = FunctionKind::kAsync) {
    JobSpec spec;
    spec.function = 5;
    spec.kind = kind;
    spec.input = Payload::Text(input);
    return spec;
  }
  FutureId Job(size_t at, std::optional<Options> options = std::nullopt) {
    return Make(at, JobOf("in"), std::move(options));
  }
  FutureId Running(size_t at, std::optional<Options> options = std::nullopt) {
    const FutureId id = Job(at, std::move(options));
    Start(id);
    return id;
  }
  FutureId Promise(size_t at, std::optional<Options> options = std::nullopt) {
    return Make(at, PromiseSpec{}, std::move(options));
  }
  // Done, and kept for so long.
  FutureId Kept(size_t at, base::Duration retention, OutcomeRef outcome) {
    Submit command = Command(PromiseSpec{});
    command.retention = retention;
    const FutureId id = Answer(at, std::move(command)).id;
    Settle(id, std::move(outcome));
    return id;
  }
  FutureId Gather(size_t at, std::vector<FutureId> members, bool return_exceptions = false) {
    return Make(at, GatherSpec{std::move(members), return_exceptions});
  }
  static FutureSpec ShieldOf(FutureId inner) {
    ShieldSpec spec;
    spec.inner = inner;
    return spec;
  }
  static FutureSpec WaitForOf(FutureId inner, std::optional<base::Duration> timeout,
                              base::Duration grace = seconds(10)) {
    WaitForSpec spec;
    spec.inner = inner;
    spec.timeout = timeout;
    spec.grace = grace;
    return spec;
  }
  void Start(FutureId id) {
    JobStarted command;
    command.id = id;
    command.attempt = Get(id).attempt;
    Do(id.shard, command);
  }
  void End(FutureId id, OutcomeRef outcome) {
    JobEnded command;
    command.id = id;
    command.attempt = Get(id).attempt;
    command.outcome = std::move(outcome);
    Do(id.shard, std::move(command));
  }
  PromiseSettled Settle(FutureId id, OutcomeRef outcome, std::string request_id = "") {
    SettlePromise command;
    const Token token = command.token = ++last_token;
    command.ns = kNs;
    command.id = id;
    command.outcome = std::move(outcome);
    command.request_id = std::move(request_id);
    Do(id.shard, std::move(command));
    return settled.at(token);
  }
  CancelEffect CancelOne(FutureId id, std::string message = "") {
    Cancel command;
    const Token token = command.token = ++last_token;
    command.ns = kNs;
    command.set.ids = {id};
    command.message = std::move(message);
    Do(id.shard, std::move(command));
    return cancels.at(token).effects.at(0).second;
  }
  Token Wait(std::vector<FutureId> ids, base::Instant deadline = base::kNever) {
    AttachWait command;
    const Token token = command.token = ++last_token;
    command.ns = kNs;
    const size_t at = ids.at(0).shard;
    command.set.ids = std::move(ids);
    command.deadline = deadline;
    Do(at, std::move(command));
    return token;
  }
  Token Stream(std::vector<FutureId> ids, std::optional<uint64_t> resume_after = std::nullopt) {
    AttachStream command;
    const Token token = command.token = ++last_token;
    command.ns = kNs;
    const size_t at = ids.at(0).shard;
    command.set.ids = std::move(ids);
    command.resume_after = resume_after;
    Do(at, std::move(command));
    return token;
  }
  std::vector<Completion> Take(size_t at, Token stream, size_t max = 1000) {
    std::vector<Completion> taken;
    status = test::TakeCompletions(*shards[at], stream, max, true, taken);
    return taken;
  }
  static std::vector<FutureId> IdsOf(const std::vector<Completion>& completions) {
    std::vector<FutureId> ids;
    for (const Completion& completion : completions) ids.push_back(completion.id);
    return ids;
  }
  void Leave(size_t at, Token token) {
    Detach command;
    command.token = token;
    Do(at, command);
  }
  absl::Status Delete(FutureId id) {
    Effects out;
    absl::Status deleted = test::Delete(*shards[id.shard], kNs, id, now, out);
    Sort(id.shard, out);
    Deliver();
    return deleted;
  }

  // --- Looking ------------------------------------------------------------------------------------------------------
  FutureView Get(FutureId id) {
    const auto view = test::Get(*shards[id.shard], kNs, id, false);
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? *view : FutureView();
  }
  State StateOf(FutureId id) { return Get(id).state; }
  std::string ValueOf(FutureId id) {
    const OutcomeRef outcome = Get(id).outcome;
    return outcome ? outcome->value.body() : "(no outcome)";
  }
  const Error& ErrorOf(FutureId id) {
    static const Error kNone;
    kept.push_back(Get(id).outcome);
    EXPECT_TRUE(kept.back() && kept.back()->error);
    return kept.back() && kept.back()->error ? *kept.back()->error : kNone;
  }
  bool Exists(FutureId id) { return test::Get(*shards[id.shard], kNs, id, false).ok(); }
  base::Reason WhyNot(const absl::Status& refusal) {
    const auto reason = base::ReasonOf(refusal);
    EXPECT_TRUE(reason.has_value()) << refusal;
    return reason.value_or(base::Reason::kInternal);
  }
  base::Reason WhyNot(FutureId id) { return WhyNot(test::Get(*shards[id.shard], kNs, id, false).status()); }
  std::vector<FutureId> Started() const {
    std::vector<FutureId> ids;
    for (const StartJob& start : starts) ids.push_back(start.id);
    return ids;
  }
  core::FutureRecord& RecordOf(FutureId id) { return stores[id.shard].futures.at(id.sequence); }

  // --- Time, crashes ------------------------------------------------------------------------------------------------
  void Advance(base::Duration by) {
    const base::Instant until = now + by;
    for (;;) {
      base::Instant next = base::kNever;
      for (const auto& shard : shards) next = std::min(next, shard->NextDeadline());
      if (next > until) break;
      now = std::max(now, next);
      for (size_t at = 0; at < kShards; ++at) {
        Effects out;
        shards[at]->Tick(now, out);
        Sort(at, out);
      }
      Deliver();
    }
    now = until;
  }
  void Commit() {
    for (size_t at = 0; at < kShards; ++at) stores[at].Commit(*shards[at]);
  }
  // What was not committed is gone, as are messages under way, clients and bodies. Jobs are not handed out yet.
  absl::Status Restore(base::Duration down) {
    queue.clear();
    starts.clear();
    cancel_jobs.clear();
    withdrawn.clear();
    dropped.clear();
    hold = false;
    now += down;
    ++incarnation;
    Boot();
    std::vector<Shard*> pointers;
    std::vector<const test::RecordStore*> from;
    for (size_t at = 0; at < kShards; ++at) {
      pointers.push_back(shards[at].get());
      from.push_back(&stores[at]);
    }
    absl::Status restored = test::RestoreAll(from, pointers, now, [this](size_t at, Effects& out) { Keep(at, out); });
    if (!restored.ok()) return restored;
    for (size_t at = 0; at < kShards; ++at) {
      shards[at]->CheckInvariants();
      bytes[at] = 0;
      shards[at]->ForEachRestored([&](const Changed& changed) { bytes[at] += changed.bytes_held; });
    }
    return restored;
  }
  void Resume(size_t max = 1000) {
    for (size_t at = 0; at < kShards; ++at) {
      for (bool more = true; more;) {
        Effects out;
        more = shards[at]->Resume(max, now, out);
        Sort(at, out);
      }
    }
    Deliver();
  }
  void Crash(base::Duration down = base::Duration(0)) {
    const absl::Status restored = Restore(down);
    ASSERT_TRUE(restored.ok()) << restored;
    Resume();
  }
  // A crash right after everything was committed. Quotas count the same before and after.
  void Restart(base::Duration down = base::Duration(0)) {
    Commit();
    const std::vector<int64_t> before = bytes;
    std::vector<int64_t> after = before;
    counting = &after;
    const absl::Status restored = Restore(down);
    counting = nullptr;
    ASSERT_TRUE(restored.ok()) << restored;
    EXPECT_EQ(bytes, after) << "what is held is counted otherwise than before";
    Resume();
  }
  void ExpectNothingLeft() {
    for (int round = 0; round < 3; ++round) Advance(hours(48));
    Commit();
    for (size_t at = 0; at < kShards; ++at) {
      const ShardStats stats = shards[at]->Ask(core::GetStats());
      EXPECT_EQ(stats.futures, 0u);
      EXPECT_EQ(stats.links, 0u);
      EXPECT_EQ(stats.pins, 0u);
      EXPECT_EQ(stats.timers, 0u);
      EXPECT_EQ(stats.request_ids, 0u);
      EXPECT_EQ(bytes[at], 0);
      EXPECT_THAT(stores[at].futures, IsEmpty());
      EXPECT_THAT(stores[at].inputs, IsEmpty());
      EXPECT_THAT(stores[at].members, IsEmpty());
      EXPECT_THAT(stores[at].requests, IsEmpty());
    }
  }

  // --- Sorting effects ----------------------------------------------------------------------------------------------
  void Boot() {
    shards.clear();
    for (ShardIndex index = 0; index < kShards; ++index) {
      ShardOptions options;
      options.index = index;
      options.shards = kShards;
      options.incarnation = incarnation;
      options.journaled = true;
      shards.push_back(std::make_unique<Shard>(options));
      shards.back()->KnowNamespace(kNs, kTag);
    }
  }
  void Deliver() {
    while (!hold && !queue.empty()) {
      SendToShard send = std::move(queue.front());
      queue.pop_front();
      Effects out;
      shards[send.shard]->Apply(std::move(send.message), now, out);
      Sort(send.shard, out);
    }
  }
  void Sort(size_t at, Effects& out) {
    shards[at]->CheckInvariants();
    Keep(at, out);
  }
  void Keep(size_t at, Effects& out) {
    for (Effect& effect : out) {
      if (auto* send = std::get_if<SendToShard>(&effect)) {
        queue.push_back(*send);
      } else if (auto* start = std::get_if<StartJob>(&effect)) {
        starts.push_back(*start);
      } else if (auto* withdraw = std::get_if<WithdrawJob>(&effect)) {
        withdrawn.push_back(withdraw->id);
      } else if (auto* cancel = std::get_if<CancelJob>(&effect)) {
        if (!cancel->counted_only) cancel_jobs.push_back(*cancel);
      } else if (auto* answer = std::get_if<Submitted>(&effect)) {
        submitted[answer->token] = *answer;
      } else if (auto* call = std::get_if<CallEnded>(&effect)) {
        calls[call->token] = call->completion;
      } else if (auto* await = std::get_if<AwaitEnded>(&effect)) {
        awaits[await->token] = *await;
      } else if (auto* promise = std::get_if<PromiseSettled>(&effect)) {
        settled[promise->token] = *promise;
      } else if (auto* cancelled = std::get_if<CancelAnswered>(&effect)) {
        cancels[cancelled->token] = *cancelled;
      } else if (auto* wait = std::get_if<WaitEnded>(&effect)) {
        waits[wait->token] = *wait;
      } else if (auto* stream = std::get_if<StreamAttached>(&effect)) {
        streams[stream->token] = *stream;
      } else if (auto* grace = std::get_if<GraceExpired>(&effect)) {
        graces.push_back(*grace);
      } else if (auto* changed = std::get_if<Changed>(&effect)) {
        Count(at, changed->bytes_held);
      } else if (auto* drop = std::get_if<Dropped>(&effect)) {
        dropped.push_back(drop->id);
        Count(at, drop->bytes_held);
      }
    }
  }
  void Count(size_t at, int64_t held) { (counting != nullptr ? *counting : bytes)[at] += held; }

  std::vector<test::RecordStore> stores;
  std::vector<std::unique_ptr<Shard>> shards;
  base::Instant now{seconds(1'000'000'000)};
  uint32_t incarnation = 1;
  Token last_token = 0;
  std::deque<SendToShard> queue;
  bool hold = false;
  std::vector<StartJob> starts;
  std::vector<FutureId> withdrawn, dropped;
  std::vector<CancelJob> cancel_jobs;
  std::map<Token, Submitted> submitted;
  std::map<Token, Completion> calls;
  std::map<Token, AwaitEnded> awaits;
  std::map<Token, PromiseSettled> settled;
  std::map<Token, CancelAnswered> cancels;
  std::map<Token, WaitEnded> waits;
  std::map<Token, StreamAttached> streams;
  std::vector<GraceExpired> graces;
  std::vector<OutcomeRef> kept;
  StreamStatus status;
  std::vector<int64_t> bytes = std::vector<int64_t>(kShards);
  std::vector<int64_t>* counting = nullptr;  // while a restart is compared with what was before
};

}  // namespace muster::core
