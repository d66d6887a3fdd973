// Combinators and awaits whose members live in another shard. Messages wait in queues until a test lets them through,
// each once or twice.
#include <deque>
#include <map>

#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

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

// The body has a cancel that it has not met, and begins to await a future of another shard. asyncio would not suspend
// at one that is done, and deliver nothing there.
TEST_P(CrossShardTest, APendingCancelStaysPendingAtWhatIsDone) {  // semantics 12
  const FutureId target = Promise(1);
  Settle(target, Text("v"));
  const FutureId job = Running(0);
  const Token await = AwaitIn(job, target, "late");
  Deliver();
  ASSERT_EQ(awaits.count(await), 1u);
  EXPECT_EQ(awaits[await].completion.state, State::kSucceeded);
  EXPECT_FALSE(awaits[await].met_cancel);
  EXPECT_EQ(Get(target).cancelling, 0u);
}

TEST_P(CrossShardTest, APendingCancelGoesToWhatIsNotDone) {  // semantics 8, 12
  const FutureId target = Promise(1);
  const FutureId job = Running(0);
  const Token await = AwaitIn(job, target, "why");
  Deliver();
  EXPECT_EQ(Get(target).state, State::kCancelled);
  ASSERT_EQ(awaits.count(await), 1u);
  EXPECT_EQ(awaits[await].completion.state, State::kCancelled);
  EXPECT_EQ(awaits[await].completion.outcome->error->message, "why");
  EXPECT_TRUE(awaits[await].met_cancel);
}

// It was not done when its shard was asked, and is when the cancel arrives: as when Task.cancel() finds an awaited
// future that refuses, the body sees its own cancellation.
TEST_P(CrossShardTest, APendingCancelThatCameTooLateIsNotLost) {  // semantics 12
  const FutureId target = Promise(1);
  const FutureId job = Running(0);
  const Token await = AwaitIn(job, target, "why");
  DeliverAll(0, 1);
  Settle(target, Text("v"));
  Deliver();
  ASSERT_EQ(awaits.count(await), 1u);
  EXPECT_EQ(awaits[await].completion.state, State::kCancelled);
  EXPECT_TRUE(awaits[await].met_cancel);
}

INSTANTIATE_TEST_SUITE_P(Messages, CrossShardTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "EachTwice" : "EachOnce"; });

TEST_P(CrossShardTest, AGatherOverShardsIsAnsweredWhenAllAreKnown) {  // semantics 44, 45
  const FutureId a = Promise(0), b = Promise(1), c = Promise(2);
  const Token submit = Gather(0, {c, a, b, c});
  EXPECT_EQ(submitted.count(submit), 0u);
  Deliver();
  const FutureId gather = IdOf(submit);
  EXPECT_THAT(Get(gather).members, ElementsAre(c, a, b, c));
  for (FutureId id : {b, a, c}) Settle(id, Text(std::to_string(id.shard)));
  EXPECT_EQ(Get(gather).state, State::kPending);
  Deliver();
  EXPECT_EQ(Get(gather).state, State::kSucceeded);
  std::vector<std::string> values;
  for (const OutcomeRef& part : Get(gather).outcome->gathered) values.push_back(part->value.body());
  EXPECT_THAT(values, ElementsAre("2", "0", "1", "2"));
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, AGatherOfWhatIsUnknownElsewhereIsRefusedByName) {  // semantics 52
  const FutureId a = Promise(0), b = Promise(1);
  FutureId unknown = b;
  unknown.sequence += 9;
  FutureId beyond = b;
  beyond.shard = 3;
  const Token submit = Gather(0, {a, b, unknown});
  Deliver();
  ASSERT_EQ(submitted.count(submit), 1u);
  EXPECT_EQ(base::ReasonOf(submitted[submit].refusal), base::Reason::kFutureNotFound);
  EXPECT_THAT(std::string(submitted[submit].refusal.message()), testing::HasSubstr(unknown.ToText()));
  Deliver();
  for (const auto& shard : shards) EXPECT_EQ(shard->Ask(core::GetStats()).links, 0u);
  EXPECT_EQ(shards[0]->Ask(core::GetStats()).futures, 1u);
  EXPECT_EQ(base::ReasonOf(submitted[Gather(0, {beyond})].refusal), base::Reason::kFutureNotFound);
}

TEST_P(CrossShardTest, MembersAreHeldForTheGathersLife) {  // semantics 100
  const FutureId a = Promise(1);
  const Token submit = Gather(0, {a}, true);
  Deliver();
  Settle(a, Raised("Oops"));
  Deliver();
  Advance(std::chrono::minutes(59));
  EXPECT_EQ(Get(a).state, State::kFailed);
  EXPECT_EQ(Get(IdOf(submit)).state, State::kSucceeded);
  ExpectNothingLeft();
  EXPECT_EQ(unretrieved, 0) << "the gather has taken it";
}

TEST_P(CrossShardTest, CancellingAGatherReachesMembersElsewhereOncePerPosition) {  // semantics 49, 50, 8
  const FutureId job = Running(1), promise = Promise(2);
  const Token submit = Gather(0, {job, promise, job}, true);
  Deliver();
  const FutureId gather = IdOf(submit);
  EXPECT_EQ(CancelOne(gather, "all"), CancelEffect::kRequested);
  Deliver();
  EXPECT_EQ(Get(job).cancelling, 2u);
  EXPECT_EQ(Get(promise).state, State::kCancelled);
  ASSERT_EQ(cancel_jobs.size(), 1u);
  EXPECT_EQ(cancel_jobs[0].message, "all");
  End(job, Text("swallowed"));
  Deliver();
  EXPECT_EQ(Get(gather).state, State::kFailed);
  EXPECT_EQ(Get(gather).outcome->error->kind, ErrorKind::kCancelled);
  ExpectNothingLeft();
}

// All members were done when the cancel came: CPython's cancel() would have returned false.
TEST_P(CrossShardTest, ACancelThatFindsAllMembersDoneDoesNotCancelTheGather) {  // semantics 51
  const FutureId a = Promise(1);
  const Token submit = Gather(0, {a}, true);
  Deliver();
  Settle(a, Text("in time"));
  CancelOne(IdOf(submit));
  Deliver();
  EXPECT_EQ(Get(IdOf(submit)).state, State::kSucceeded);
}

TEST_P(CrossShardTest, AShieldOfAFutureElsewhere) {  // semantics 53, 54, 55
  const FutureId done = Promise(1), live = Promise(1), other = Promise(1);
  Settle(done, Text("x"));
  const Token of_done = Shield(0, done), of_live = Shield(0, live), of_other = Shield(0, other);
  Deliver();
  EXPECT_EQ(IdOf(of_done), done);
  EXPECT_EQ(submitted[of_done].state, State::kSucceeded);
  CancelOne(IdOf(of_live));
  Deliver();
  EXPECT_EQ(Get(live).state, State::kPending);
  CancelOne(other);
  Deliver();
  EXPECT_EQ(Get(IdOf(of_other)).state, State::kCancelled);
  CancelOne(live);
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, ARepeatableShieldOfWhatIsDoneElsewhere) {  // semantics 55, 102
  const FutureId done = Promise(1);
  Settle(done, Text("x"));
  ShieldSpec spec;
  spec.inner = done;
  std::vector<Token> tokens;
  for (int at = 0; at < 3; ++at) {
    Submit command = Command(spec);
    command.options = std::make_unique<Options>();
    command.options->request_id = "r";
    command.attach = true;
    tokens.push_back(command.token);
    Do(0, std::move(command));
    if (at == 1) Deliver();
  }
  for (size_t at = 0; at < tokens.size(); ++at) {
    EXPECT_EQ(submitted[tokens[at]].id, done);
    EXPECT_EQ(submitted[tokens[at]].deduplicated, at > 0);
    EXPECT_EQ(calls[tokens[at]].outcome->value.body(), "x");
  }
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, RepetitionsWaitForTheAnswerOfTheFirst) {  // semantics 102
  const FutureId a = Promise(1);
  std::vector<Token> tokens;
  for (int at = 0; at < 2; ++at) {
    Submit command = Command(GatherSpec{{a}, false});
    command.options = std::make_unique<Options>();
    command.options->request_id = "r";
    command.attach = true;
    tokens.push_back(command.token);
    Do(0, std::move(command));
  }
  EXPECT_EQ(submitted.count(tokens[1]), 0u);
  Deliver();
  EXPECT_EQ(submitted[tokens[0]].id, submitted[tokens[1]].id);
  EXPECT_TRUE(submitted[tokens[1]].deduplicated);
  Settle(a, Text(""));
  Deliver();
  EXPECT_EQ(calls.count(tokens[0]), 1u);
  EXPECT_EQ(calls.count(tokens[1]), 1u);
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, ACallLeftBeforeItsSubmitWasAnswered) {  // semantics 98
  const FutureId a = Promise(1);
  Submit command = Command(GatherSpec{{a}, false});
  command.attach = command.drop_when_delivered = true;
  const Token call = command.token;
  Do(0, std::move(command));
  Detach detach;
  detach.token = call;
  Do(0, detach);
  Deliver();
  Settle(a, Text(""));
  Deliver();
  EXPECT_EQ(calls.count(call), 0u);
  EXPECT_EQ(Get(IdOf(call)).state, State::kSucceeded);
  Advance(seconds(60));
  EXPECT_FALSE(test::Get(*shards[0], kNs, submitted[call].id, false).ok());
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, WaitForElsewhereTimesOutByCancellingThere) {  // semantics 56, 57
  const FutureId job = Running(1);
  const Token submit = WaitFor(0, job, seconds(5));
  Deliver();
  Advance(seconds(5));
  Deliver();
  EXPECT_EQ(cancel_jobs.size(), 1u);
  End(job, Outcome::Cancelled(""));
  Deliver();
  const FutureView view = Get(IdOf(submit));
  EXPECT_EQ(view.state, State::kFailed);
  EXPECT_EQ(view.outcome->error->kind, ErrorKind::kTimedOut);
  EXPECT_EQ(view.outcome->error->cause->origin, job);
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, WaitForElsewherePollsAndKeepsTheUnstartedFromStarting) {  // semantics 60
  const FutureId job = Make(1, JobSpec{});
  const Token submit = WaitFor(0, job, seconds(0));
  Deliver();
  EXPECT_EQ(Get(job).state, State::kCancelled);
  EXPECT_EQ(Get(IdOf(submit)).outcome->error->kind, ErrorKind::kTimedOut);
}

TEST_P(CrossShardTest, ACancelThatCameTooLateForTheInnerIsNotLost) {  // semantics 62
  const FutureId inner = Promise(1);
  const Token submit = WaitFor(0, inner, std::nullopt);
  Deliver();
  Settle(inner, Text("in time"));  // the word is on its way
  CancelOne(IdOf(submit), "mine");
  Deliver();
  EXPECT_EQ(Get(IdOf(submit)).state, State::kCancelled);
  EXPECT_EQ(Get(IdOf(submit)).outcome->error->message, "mine");
}

TEST_P(CrossShardTest, AnAwaitElsewhere) {  // semantics 12, 8
  const FutureId job = Running(0), promise = Promise(1), other = Promise(1);
  const Token first = AwaitIn(job, promise);
  Deliver();
  Settle(promise, Text("1"));
  Deliver();
  EXPECT_EQ(awaits.at(first).completion.outcome->value.body(), "1");
  const Token second = AwaitIn(job, other);
  CancelOne(job, "why");
  Deliver();
  EXPECT_EQ(Get(other).state, State::kCancelled);
  EXPECT_EQ(Get(other).outcome->error->message, "why");
  EXPECT_EQ(awaits.at(second).completion.state, State::kCancelled);
  EXPECT_THAT(cancel_jobs, IsEmpty());
  End(job, Text(""));
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, ACancelThatCameTooLateForTheAwaitedReachesTheBody) {  // semantics 12
  const FutureId job = Running(0), promise = Promise(1);
  const Token await = AwaitIn(job, promise);
  Deliver();
  Settle(promise, Text("in time"));
  CancelOne(job, "mine");
  Deliver();
  EXPECT_EQ(awaits.at(await).completion.state, State::kCancelled);
  EXPECT_EQ(awaits.at(await).completion.outcome->error->message, "mine");
  EXPECT_THAT(cancel_jobs, IsEmpty()) << "once, not twice";
}

TEST_P(CrossShardTest, ACancelThatAGatherCouldNotUseReachesTheBodyThatAwaitsIt) {  // semantics 12, 51
  const FutureId job = Running(0), promise = Promise(1);
  const Token gather = Gather(0, {promise});
  Deliver();
  const Token await = AwaitIn(job, IdOf(gather));
  Settle(promise, Text("in time"));
  CancelOne(job, "mine");
  Deliver();
  EXPECT_EQ(Get(IdOf(gather)).state, State::kSucceeded);
  EXPECT_EQ(awaits.at(await).completion.state, State::kCancelled);
  EXPECT_EQ(awaits.at(await).completion.outcome->error->message, "mine");
}

TEST_P(CrossShardTest, AwaitingTheUnknownElsewhereIsRefused) {
  const FutureId job = Running(0);
  FutureId unknown = Promise(1);
  unknown.sequence += 3;
  const Token await = AwaitIn(job, unknown);
  Deliver();
  EXPECT_EQ(base::ReasonOf(awaits.at(await).refusal), base::Reason::kFutureNotFound);
  End(job, Text(""));
  EXPECT_EQ(shards[0]->Ask(core::GetStats()).links, 0u);
}

// In one process of asyncio no body runs before cancel() has returned; between two shards one does.
TEST_P(CrossShardTest, ACancelThatComesByTwoWaysIsSeenOnce) {  // semantics 8, 12, 49
  const FutureId job = Running(0), awaiting = Running(1);
  const Token outer = AwaitIn(awaiting, job);
  Deliver();
  const Token gather = Gather(2, {job, awaiting}, true);
  Deliver();
  CancelOne(IdOf(gather), "all");
  DeliverAll(2, 0);
  ASSERT_EQ(cancel_jobs.size(), 1u);
  const FutureId late = Promise(0);
  const Token inner = AwaitIn(job, late);  // the body has seen the cancel, and goes on
  Deliver();
  EXPECT_EQ(Get(job).cancelling, 2u);
  EXPECT_EQ(cancel_jobs.size(), 1u);
  EXPECT_EQ(Get(late).state, State::kPending);
  EXPECT_FALSE(awaits.contains(inner));
  Settle(late, Text("in peace"));
  EXPECT_EQ(awaits.at(inner).completion.outcome->value.body(), "in peace");
  End(job, Text("swallowed"));
  Deliver();
  EXPECT_EQ(awaits.at(outer).completion.outcome->value.body(), "swallowed");
  End(awaiting, Text(""));
  Deliver();
  ExpectNothingLeft();
}

// The body was faster than the way through the other shard.
TEST_P(CrossShardTest, ACancelThatComesByTwoWaysCountsForAJobThatHasEndedOfIt) {  // semantics 9, 12, 49
  const FutureId job = Running(0), awaiting = Running(1);
  const Token outer = AwaitIn(awaiting, job);
  Deliver();
  const Token gather = Gather(2, {job, awaiting}, true);
  Deliver();
  CancelOne(IdOf(gather), "all");
  DeliverAll(2, 0);
  End(job, Text("swallowed"));
  DeliverAll(2, 1);
  Deliver();
  EXPECT_EQ(Get(job).cancelling, 2u);
  EXPECT_EQ(awaits.at(outer).completion.outcome->value.body(), "swallowed") << "no cancel was missed";
  EXPECT_EQ(Get(awaiting).cancelling, 1u);
  End(awaiting, Text(""));
  Deliver();
  ExpectNothingLeft();
}

// What the awaited made of the cancel comes sooner than the cancel itself, which is no second one then.
TEST_P(CrossShardTest, ACancelThatComesAfterWhatItMadeOfTheAwaitedIsOnlyCounted) {  // semantics 8, 9, 12
  for (const bool ended : {false, true}) {
    const FutureId job = Running(0), awaiting = Running(1), late = Promise(1);
    const Token outer = AwaitIn(awaiting, job);
    Deliver();
    const Token gather = Gather(2, {job, awaiting}, true);
    Deliver();
    cancel_jobs.clear();
    CancelOne(IdOf(gather), "all");
    DeliverAll(2, 0);
    ASSERT_EQ(cancel_jobs.size(), 1u);
    End(job, Outcome::Cancelled("all"));
    DeliverAll(0, 1);
    ASSERT_TRUE(awaits.contains(outer));
    Token inner = kNoToken;
    if (ended) {
      End(awaiting, Text("in peace"));
    } else {
      inner = AwaitIn(awaiting, late);
    }
    Deliver();
    EXPECT_EQ(Get(awaiting).cancelling, 1u);
    EXPECT_EQ(cancel_jobs.size(), 1u);
    EXPECT_EQ(Get(late).state, State::kPending);
    Settle(late, Text("in peace"));
    if (!ended) {
      EXPECT_EQ(awaits.at(inner).completion.outcome->value.body(), "in peace");
      End(awaiting, Text("in peace"));
    }
    Deliver();
    EXPECT_EQ(Get(awaiting).state, State::kSucceeded);
    ExpectNothingLeft();
  }
}

// Another cancel is another matter.
TEST_P(CrossShardTest, AJobThatHasEndedCountsNoLaterCancel) {  // semantics 4
  const FutureId job = Running(0);
  const Token gather = Gather(2, {job, Promise(2)}, true);
  Deliver();
  CancelOne(job, "first");
  End(job, Text("swallowed"));
  CancelOne(IdOf(gather), "second");
  Deliver();
  EXPECT_EQ(Get(job).cancelling, 1u);
  ExpectNothingLeft();
}

// A walk keeps the jobs that it came through, and that is bounded: past the bound the await ends here instead.
TEST_P(CrossShardTest, ACancelThatCameThroughTooManyJobsEndsTheAwait) {
  const auto chain_in = [&](int shard, const FutureId& end, Token& last) {
    FutureId next = end;
    for (int at = 0; at < 600; ++at) {
      const FutureId job = Running(shard);
      const Token await = AwaitIn(job, next);
      if (at == 0) last = await;
      next = job;
    }
    return next;
  };
  const FutureId far = Running(2);
  Token first_left = 0, second_left = 0;
  const FutureId middle = chain_in(1, far, second_left);
  const FutureId head = chain_in(0, middle, first_left);
  Deliver();
  CancelOne(head, "long");
  Deliver();
  EXPECT_FALSE(awaits.contains(first_left)) << "600 jobs are not too many";
  ASSERT_TRUE(awaits.contains(second_left));
  EXPECT_EQ(awaits.at(second_left).completion.outcome->error->message, "long");
  EXPECT_EQ(Get(far).cancelling, 0u);
  EXPECT_EQ(Get(middle).cancelling, 1u);
}

TEST_P(CrossShardTest, ACircleOverShardsIsOpenedByACancel) {
  const FutureId a = Running(0), b = Running(1), c = Running(2);
  AwaitIn(a, b);
  AwaitIn(b, c);
  const Token gather = Gather(2, {a, a});
  Deliver();
  AwaitIn(c, IdOf(gather));
  Deliver();
  CancelOne(a, "open");
  Deliver();
  ASSERT_FALSE(awaits.empty()) << "some body sees the cancel";
  for (int round = 0; round < 5; ++round) {
    const auto seen = std::exchange(awaits, {});
    for (const auto& [await, ended] : seen) End(ended.job, Outcome::Cancelled("open"));
    Deliver();
  }
  for (FutureId id : {a, b, c}) EXPECT_EQ(Get(id).state, State::kCancelled);
  ExpectNothingLeft();
}

TEST_P(CrossShardTest, NestingIsCountedOverShards) {
  FutureId last = Promise(0);
  for (int depth = 1; depth <= 16; ++depth) {
    const Token submit = Gather(depth % 3, {last});
    Deliver();
    last = IdOf(submit);
  }
  const Token submit = Gather(2, {last});
  Deliver();
  EXPECT_EQ(base::ReasonOf(submitted[submit].refusal), base::Reason::kNestingTooDeep);
}

TEST_P(CrossShardTest, ALateRepetitionOfASubscriptionLeavesNothingBehind) {
  const FutureId a = Promise(1);
  const Token submit = Shield(0, a);
  const ShardMessage subscribe = queues.at({0, 1}).front();
  Deliver();
  CancelOne(IdOf(submit));
  Deliver();
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 0u);
  Do(1, subscribe);
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 1u);
  Deliver();
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 0u);
}

}  // namespace
}  // namespace muster::core
