// A shard under a virtual clock, with a dispatcher whose bodies follow scripts.
//
// Every call checks the shard's invariants and keeps the effects by kind; bytes are summed so that a test can see them
// return to zero. A job's body starts at once unless its script is kManual.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/reason.h"
#include "service/core/shard.h"
#include "tests/support/shard_asks.h"

namespace muster::core {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

inline OutcomeRef Text(const std::string& text) { return Outcome::Value(Payload::Text(text)); }
inline OutcomeRef Raised(const std::string& type, const std::string& message = "") {
  Error error;
  error.type = type;
  error.message = message;
  return Outcome::Failed(std::move(error));
}

// What a body does when it is asked to cancel.
enum class OnCancel { kEndCancelled, kReturn, kRaise, kIgnore };
struct Script {
  OnCancel on_cancel = OnCancel::kEndCancelled;
  base::Duration takes{0};  // from the request to what it does about it
};

class CoreTest : public testing::Test {
 protected:
  static constexpr NamespaceId kNs = 1;
  static constexpr uint16_t kTag = 77;

  explicit CoreTest(ShardOptions options = {}) : shard(options) {}

  // --- Submitting ---------------------------------------------------------------------------------------------------
  Submit Command(FutureSpec spec, std::unique_ptr<Options> options = nullptr) {
    Submit command;
    command.token = ++last_token;
    command.ns = kNs;
    command.ns_tag = kTag;
    command.spec = std::move(spec);
    command.options = std::move(options);
    return command;
  }
  Submitted Answer(Submit command) {
    const Token token = command.token;
    Run([&] { shard.Apply(std::move(command), now, out); });
    return submitted.at(token);
  }
  FutureId Make(FutureSpec spec, std::unique_ptr<Options> options = nullptr) {
    const Submitted answer = Answer(Command(std::move(spec), std::move(options)));
    EXPECT_TRUE(answer.refusal.ok()) << answer.refusal;
    return answer.id;
  }
  static JobSpec JobOf(FunctionKind kind) {
    JobSpec spec;
    spec.function = 5;
    spec.kind = kind;
    return spec;
  }
  FutureId Job(FunctionKind kind = FunctionKind::kAsync) { return Make(JobOf(kind)); }
  FutureId Job(Options options, FunctionKind kind = FunctionKind::kAsync) {
    return Make(JobOf(kind), std::make_unique<Options>(std::move(options)));
  }
  FutureId Running(Script script = {}, FunctionKind kind = FunctionKind::kAsync) {
    const FutureId id = Job(kind);
    scripts[id] = script;
    Start(id);
    return id;
  }
  FutureId Running(Options options, Script script = {}, FunctionKind kind = FunctionKind::kAsync) {
    const FutureId id = Job(std::move(options), kind);
    scripts[id] = script;
    Start(id);
    return id;
  }
  FutureId Promise() { return Make(PromiseSpec{}); }
  FutureId Gather(std::vector<FutureId> members, bool return_exceptions = false) {
    GatherSpec spec;
    spec.members = std::move(members);
    spec.return_exceptions = return_exceptions;
    return Make(std::move(spec));
  }
  FutureId Shield(FutureId inner) {
    ShieldSpec spec;
    spec.inner = inner;
    return Make(std::move(spec));
  }
  FutureId WaitFor(FutureId inner, std::optional<base::Duration> timeout, base::Duration grace = seconds(10)) {
    WaitForSpec spec;
    spec.inner = inner;
    spec.timeout = timeout;
    spec.grace = grace;
    return Make(std::move(spec));
  }

  // --- Bodies and clients -------------------------------------------------------------------------------------------
  void Start(FutureId id) {
    JobStarted command;
    command.id = id;
    Run([&] { shard.Apply(command, now, out); });
  }
  void Lose(FutureId id, uint32_t attempt = 1) {
    JobLost command;
    command.id = id;
    command.attempt = attempt;
    Run([&] { shard.Apply(command, now, out); });
  }
  void End(FutureId id, OutcomeRef outcome) {
    JobEnded command;
    command.id = id;
    command.outcome = std::move(outcome);
    Run([&] { shard.Apply(std::move(command), now, out); });
  }
  PromiseSettled Settle(FutureId id, OutcomeRef outcome, std::string request_id = "") {
    SettlePromise command;
    command.token = ++last_token;
    command.ns = kNs;
    command.id = id;
    command.outcome = std::move(outcome);
    command.request_id = std::move(request_id);
    Run([&] { shard.Apply(std::move(command), now, out); });
    return settled.at(last_token);
  }
  std::vector<CancelEffect> CancelAll(std::vector<FutureId> ids, std::string message = "") {
    Cancel command;
    const Token token = command.token = ++last_token;
    command.ns = kNs;
    command.set.ids = std::move(ids);
    command.message = std::move(message);
    Run([&] { shard.Apply(std::move(command), now, out); });
    std::vector<CancelEffect> effects;
    for (const auto& [id, effect] : cancels.at(token).effects) effects.push_back(effect);
    return effects;
  }
  CancelEffect CancelOne(FutureId id, std::string message = "") { return CancelAll({id}, std::move(message)).at(0); }
  Token AwaitIn(FutureId job, FutureId target, std::optional<std::string> pending_cancel = std::nullopt) {
    Await command;
    command.pending_cancel = std::move(pending_cancel);
    const Token token = command.token = ++last_token;
    command.ns = kNs;
    command.job = job;
    command.target = target;
    Run([&] { shard.Apply(command, now, out); });
    return token;
  }
  Token Attach(AttachWait command) {
    const Token token = command.token = ++last_token;
    command.ns = kNs;
    Run([&] { shard.Apply(std::move(command), now, out); });
    return token;
  }
  Token Wait(std::vector<FutureId> ids, ReturnWhen when = ReturnWhen::kAllCompleted,
             base::Duration timeout = base::Duration::max()) {
    AttachWait command;
    command.set.ids = std::move(ids);
    command.return_when = when;
    command.deadline = base::Later(now, timeout);
    return Attach(std::move(command));
  }
  Token Stream(std::vector<FutureId> ids, base::Duration timeout = base::Duration::max(),
               std::optional<uint64_t> resume_after = std::nullopt) {
    AttachStream command;
    const Token token = command.token = ++last_token;
    command.ns = kNs;
    command.set.ids = std::move(ids);
    command.deadline = base::Later(now, timeout);
    command.resume_after = resume_after;
    Run([&] { shard.Apply(std::move(command), now, out); });
    return token;
  }
  std::vector<FutureId> Take(Token stream, size_t max = 1000) {
    taken.clear();
    status = test::TakeCompletions(shard, stream, max, true, taken);
    shard.CheckInvariants();
    std::vector<FutureId> ids;
    for (const Completion& completion : taken) ids.push_back(completion.id);
    return ids;
  }
  void Leave(Token token) {
    core::Detach command;
    command.token = token;
    Run([&] { shard.Apply(command, now, out); });
  }
  FutureView Get(FutureId id) {
    const auto view = test::Get(shard, kNs, id, false);
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? *view : FutureView();
  }
  State StateOf(FutureId id) { return Get(id).state; }
  std::string ValueOf(FutureId id) {
    const OutcomeRef outcome = Get(id).outcome;
    return outcome ? outcome->value.body() : "(no outcome)";
  }
  const Error& ErrorOf(FutureId id) {
    kept.push_back(Get(id).outcome);
    EXPECT_TRUE(kept.back() && kept.back()->error);
    return *kept.back()->error;
  }
  base::Reason WhyNot(const absl::Status& refusal) {
    const auto reason = base::ReasonOf(refusal);
    EXPECT_TRUE(reason.has_value()) << refusal;
    return reason.value_or(base::Reason::kInternal);
  }
  base::Reason WhyNot(FutureId id) { return WhyNot(test::Get(shard, kNs, id, false).status()); }

  // --- Time ---------------------------------------------------------------------------------------------------------
  void Advance(base::Duration by) {
    const base::Instant until = now + by;
    for (;;) {
      base::Instant next = shard.NextDeadline();
      if (!later.empty()) next = std::min(next, later.begin()->first);
      if (next > until) break;
      now = std::max(now, next);
      Run([&] { shard.Tick(now, out); });
      while (!later.empty() && later.begin()->first <= now) {
        auto [id, outcome] = std::move(later.begin()->second);
        later.erase(later.begin());
        End(id, outcome);
      }
    }
    now = until;
  }

  // Lets go of everything and looks at what is left: nothing.
  void ExpectNothingLeft() {
    scripts.clear();
    Quiesce();
    Advance(std::chrono::hours(24 * 40));
    const ShardStats stats = shard.Ask(core::GetStats());
    EXPECT_EQ(stats.futures, 0u);
    EXPECT_EQ(stats.waits, 0u);
    EXPECT_EQ(stats.streams, 0u);
    EXPECT_EQ(stats.calls, 0u);
    EXPECT_EQ(stats.links, 0u);
    EXPECT_EQ(stats.pins, 0u);
    EXPECT_EQ(stats.request_ids, 0u);
    EXPECT_EQ(stats.groups, 0u);
    EXPECT_EQ(stats.timers, 0u);
    EXPECT_EQ(bytes, 0);
  }

  // --- Running and sorting ------------------------------------------------------------------------------------------
  template <typename F>
  void Run(F&& call) {
    out.clear();
    call();
    shard.CheckInvariants();
    Effects effects = std::move(out);
    out = Effects();
    for (Effect& effect : effects) std::visit([this](auto& e) { this->Keep(e); }, effect);
  }

  void Keep(StartJob& e) { starts.push_back(e); }
  void Keep(WithdrawJob& e) { withdrawn.push_back(e.id); }
  void Keep(CancelJob& e) {
    if (e.counted_only) {
      forwarded.push_back(e);
      return;
    }
    cancel_jobs.push_back(e);
    const auto script = scripts.find(e.id);
    if (e.abandoned || script == scripts.end() || script->second.on_cancel == OnCancel::kIgnore) return;
    OutcomeRef outcome = Outcome::Cancelled(e.message);
    if (script->second.on_cancel == OnCancel::kReturn) outcome = Text("swallowed");
    if (script->second.on_cancel == OnCancel::kRaise) outcome = Raised("CleanupError");
    later.emplace(now + script->second.takes, std::make_pair(e.id, outcome));
  }
  // A body that awaits ends as what it awaited did, unless it is to swallow that.
  void Keep(AwaitEnded& e) {
    awaits[e.token] = e;
    const auto script = scripts.find(e.job);
    if (!e.refusal.ok() || script == scripts.end() || script->second.on_cancel == OnCancel::kIgnore) return;
    OutcomeRef outcome = e.completion.outcome;
    if (e.completion.state == State::kCancelled) {
      if (script->second.on_cancel == OnCancel::kReturn) outcome = Text("swallowed");
      if (script->second.on_cancel == OnCancel::kRaise) outcome = Raised("CleanupError");
    } else if (outcome->RaisesCancelled()) {
      outcome = Outcome::Cancelled(outcome->error->message);
    }
    later.emplace(now + script->second.takes, std::make_pair(e.job, outcome));
  }
  void Keep(Submitted& e) { submitted[e.token] = e; }
  void Keep(CallEnded& e) { calls[e.token] = e.completion; }
  void Keep(PromiseSettled& e) { settled[e.token] = e; }
  void Keep(CancelAnswered& e) { cancels[e.token] = e; }
  void Keep(Deleted&) {}
  void Keep(WaitEnded& e) {
    EXPECT_EQ(waits.count(e.token), 0u) << "a wait ends once";
    waits[e.token] = e;
  }
  void Keep(StreamAttached& e) { streams[e.token] = e; }
  void Keep(StreamReady& e) { ready.push_back(e.token); }
  void Keep(SendToShard& e) { sent.push_back(e); }
  void Keep(Changed& e) {
    changes.push_back(e);
    bytes += e.bytes_held;
  }
  void Keep(Dropped& e) {
    dropped.push_back(e);
    bytes += e.bytes_held;
  }
  void Keep(GraceExpired& e) { graces.push_back(e); }

  std::vector<FutureId> DoneOf(Token wait) {
    std::vector<FutureId> ids;
    for (const Completion& completion : waits.at(wait).done) ids.push_back(completion.id);
    return ids;
  }
  bool Ended(Token wait) const { return waits.count(wait) > 0; }
  // Lets bodies do what they do without delay.
  void Quiesce() { Advance(base::Duration(0)); }

  Shard shard;
  base::Instant now{seconds(1'000'000'000)};
  Effects out;
  Token last_token = 0;
  std::map<FutureId, Script> scripts;
  std::multimap<base::Instant, std::pair<FutureId, OutcomeRef>> later;

  std::vector<StartJob> starts;
  std::vector<FutureId> withdrawn;
  std::vector<CancelJob> cancel_jobs;
  std::vector<CancelJob> forwarded;  // counted, not delivered
  std::map<Token, AwaitEnded> awaits;
  std::map<Token, Submitted> submitted;
  std::map<Token, Completion> calls;
  std::map<Token, PromiseSettled> settled;
  std::map<Token, CancelAnswered> cancels;
  std::map<Token, WaitEnded> waits;
  std::map<Token, StreamAttached> streams;
  std::vector<Token> ready;
  std::vector<SendToShard> sent;
  std::vector<Changed> changes;
  std::vector<Dropped> dropped;
  std::vector<GraceExpired> graces;
  std::vector<Completion> taken;
  std::vector<OutcomeRef> kept;
  StreamStatus status;
  int64_t bytes = 0;
};

}  // namespace muster::core
