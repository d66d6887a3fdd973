// Gathers, shields and wait_fors after a restart of the server: tied to their members again, in whichever shard those
// are, and told what got lost on the way.
#include "tests/unit/core/restore_fixture.h"

namespace muster::core {
namespace {

class RestoreCombinatorsTest : public RestoreTest {
 protected:
  static std::vector<std::string> ValuesOf(const Outcome& gathered) {
    std::vector<std::string> values;
    for (const OutcomeRef& outcome : gathered.gathered) values.push_back(outcome->value.body());
    return values;
  }
  // A body that was asked to cancel, and does not.
  void Suppress(FutureId job) {
    Uncancel command;
    command.id = job;
    command.attempt = Get(job).attempt;
    Do(job.shard, command);
  }
};

TEST_F(RestoreCombinatorsTest, AGatherOfGathersOverShards) {  // semantics 44, 45, 101
  const FutureId a = Promise(0), b = Promise(2), c = Promise(1);
  const FutureId left = Gather(1, {a, b, a}), right = Gather(2, {c, b});
  const FutureId outer = Gather(0, {left, right, left});
  Settle(a, Text("a"));
  Restart();
  EXPECT_THAT(Get(outer).members, ElementsAre(left, right, left));
  EXPECT_THAT(Get(left).members, ElementsAre(a, b, a));
  Settle(c, Text("c"));
  Restart();
  Settle(b, Text("b"));
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(StateOf(outer), State::kSucceeded);
    const OutcomeRef all = Get(outer).outcome;
    ASSERT_THAT(all->gathered, SizeIs(3));
    EXPECT_THAT(ValuesOf(*all->gathered[0]), ElementsAre("a", "b", "a"));
    EXPECT_THAT(ValuesOf(*all->gathered[1]), ElementsAre("c", "b"));
    EXPECT_EQ(all->gathered[2], all->gathered[0]) << "one copy, at every position";
    Commit();
    EXPECT_EQ(RecordOf(outer).outcome, nullptr) << "its members tell it";
    Restart(seconds(1));
  }
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, NestingAsDeepAsItMay) {
  FutureId last = Promise(0);
  std::vector<FutureId> chain = {last};
  for (int depth = 1; depth <= 16; ++depth) chain.push_back(last = Gather(depth % 3, {last}));
  Restart();
  const Submitted refused = Answer(0, Command(GatherSpec{{last}, false}));
  EXPECT_EQ(WhyNot(refused.refusal), base::Reason::kNestingTooDeep) << "their depth is remembered";
  Settle(chain.front(), Text("deep"));
  Restart();
  OutcomeRef outcome = Get(last).outcome;
  for (int depth = 1; depth <= 16; ++depth) outcome = outcome->gathered.at(0);
  EXPECT_EQ(outcome->value.body(), "deep");
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, AGatherThatFailedKeepsItsErrorAndItsSiblings) {  // semantics 46, 48
  const FutureId bad = Promise(1), live = Promise(1), here = Promise(0), cancelled = Promise(2);
  const FutureId gather = Gather(0, {live, bad, here}), swept = Gather(1, {cancelled, live});
  Settle(bad, Raised("ValueError", "bad"));
  CancelOne(cancelled, "away");
  Restart();
  EXPECT_EQ(StateOf(gather), State::kFailed);
  EXPECT_EQ(ErrorOf(gather).type, "ValueError");
  EXPECT_EQ(ErrorOf(gather).origin, bad);
  EXPECT_EQ(StateOf(swept), State::kFailed);
  EXPECT_EQ(ErrorOf(swept).kind, ErrorKind::kCancelled);
  EXPECT_EQ(StateOf(live), State::kPending);
  EXPECT_EQ(CancelOne(gather), CancelEffect::kAlreadyDone);  // semantics 51
  Settle(live, Text("goes on"));
  Settle(here, Raised("Ignored"));
  Restart();
  EXPECT_EQ(ErrorOf(gather).type, "ValueError");
  EXPECT_EQ(ValueOf(live), "goes on");
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, WithReturnExceptionsTheyAreValuesAgain) {  // semantics 47
  const FutureId bad = Promise(1), cancelled = Promise(2), live = Promise(0);
  const FutureId gather = Gather(0, {bad, cancelled, live}, true);
  Settle(bad, Raised("ValueError"));
  CancelOne(cancelled, "away");
  Restart();
  EXPECT_EQ(StateOf(gather), State::kPending);
  Settle(live, Text("x"));
  for (int round = 0; round < 2; ++round) {
    const OutcomeRef all = Get(gather).outcome;
    ASSERT_THAT(all->gathered, SizeIs(3));
    EXPECT_EQ(all->gathered[0]->error->type, "ValueError");
    EXPECT_EQ(all->gathered[1]->kind, Outcome::Kind::kCancelled);
    EXPECT_EQ(all->gathered[2]->value.body(), "x");
    Restart();
  }
}

TEST_F(RestoreCombinatorsTest, MembersThatNobodyElseFindsAreStillTheirs) {  // semantics 100, 101
  const FutureId deleted = Promise(1), expired = Kept(1, seconds(1), Text("e")), here = Kept(0, seconds(1), Text("h")),
                 live = Promise(2);
  Settle(deleted, Text("d"));
  const FutureId done = Gather(0, {deleted, expired, here}), open = Gather(0, {deleted, expired, here, live});
  EXPECT_TRUE(Delete(deleted).ok());
  Advance(seconds(1));
  Restart();
  EXPECT_EQ(WhyNot(deleted), base::Reason::kFutureExpired);
  EXPECT_THAT(ValuesOf(*Get(done).outcome), ElementsAre("d", "e", "h"));
  EXPECT_EQ(StateOf(open), State::kPending);
  Settle(live, Text("l"));
  EXPECT_THAT(ValuesOf(*Get(open).outcome), ElementsAre("d", "e", "h", "l"));
  Restart();
  EXPECT_THAT(ValuesOf(*Get(open).outcome), ElementsAre("d", "e", "h", "l"));
  EXPECT_TRUE(Delete(done).ok());
  EXPECT_TRUE(Delete(open).ok());
  Restart();
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).futures, 0u) << "nobody holds them any more";
  Settle(live, Text(""));
  ExpectNothingLeft();
}

// The shard of the member has no combinators of its own, and is asked in the middle of the restart to let it go.
TEST_F(RestoreCombinatorsTest, AMemberIsThereUntilAllHaveAskedForIt) {  // semantics 101
  const FutureId inner = Kept(1, seconds(0), Text("")), waits = Promise(0), other = Promise(1);
  Submit command = Command(PromiseSpec{});
  command.retention = seconds(0);
  const FutureId shared = Answer(1, std::move(command)).id;
  const FutureId first = Make(0, WaitForOf(shared, std::nullopt)), nested = Gather(0, {waits}),
                 second = Gather(0, {nested, shared});
  hold = true;
  Settle(shared, Text("shared"));
  Advance(seconds(0));
  Commit();
  EXPECT_TRUE(RecordOf(shared).expired);
  Crash();
  EXPECT_EQ(ValueOf(first), "shared");
  Settle(waits, Text("w"));
  EXPECT_EQ(Get(second).outcome->gathered.at(1)->value.body(), "shared");
  Settle(other, Text(""));
  EXPECT_FALSE(Exists(inner));
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, ShieldsGoOn) {  // semantics 53, 54
  const FutureId here = Promise(0), elsewhere = Promise(1), goes = Promise(1);
  const FutureId first = Make(0, ShieldOf(here)), second = Make(0, ShieldOf(elsewhere)),
                 third = Make(0, ShieldOf(goes)), cancelled = Make(0, ShieldOf(goes));
  CancelOne(cancelled, "only me");
  Restart();
  EXPECT_THAT(Get(second).members, ElementsAre(elsewhere));
  EXPECT_EQ(ErrorOf(cancelled).message, "only me");
  Settle(here, Text("h"));
  Settle(elsewhere, Raised("E"));
  CancelOne(goes);
  EXPECT_EQ(ValueOf(first), "h");
  EXPECT_EQ(ErrorOf(second).origin, elsewhere);
  EXPECT_EQ(StateOf(third), State::kCancelled);
  Restart();
  EXPECT_EQ(ValueOf(first), "h");
  EXPECT_EQ(ErrorOf(second).type, "E");
  EXPECT_THAT(Get(second).members, ElementsAre(elsewhere)) << "also of one that is done";
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, AWaitForsTimeoutGoesOnWhileTheServerIsDown) {  // semantics 56, 57, 61
  const FutureId a = Promise(0), b = Promise(1), c = Promise(1);
  const FutureId here = Make(0, WaitForOf(a, seconds(60))), elsewhere = Make(0, WaitForOf(b, seconds(30))),
                 unbounded = Make(0, WaitForOf(c, std::nullopt));
  Advance(seconds(20));
  Restart(seconds(20));
  EXPECT_EQ(StateOf(elsewhere), State::kPending);
  Advance(seconds(0));
  EXPECT_EQ(ErrorOf(elsewhere).kind, ErrorKind::kTimedOut) << "its time came while the server was down";
  EXPECT_EQ(StateOf(b), State::kCancelled);
  Advance(seconds(20) - milliseconds(1));
  EXPECT_EQ(StateOf(here), State::kPending);
  Advance(milliseconds(1));
  EXPECT_EQ(ErrorOf(here).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(ErrorOf(here).cause->origin, a);
  Advance(hours(100));
  EXPECT_EQ(StateOf(unbounded), State::kPending);
  Settle(c, Text("at last"));
  EXPECT_EQ(ValueOf(unbounded), "at last");
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, AWaitForsGraceGoesOnWhileTheServerIsDown) {  // semantics 56
  for (const ShardIndex where : {0, 1}) {
    SCOPED_TRACE(where);
    const FutureId job = Running(where), polled = Running(where);
    const FutureId wait_for = Make(0, WaitForOf(job, seconds(5), seconds(10)));
    Advance(seconds(5));
    const FutureId poll = Make(0, WaitForOf(polled, seconds(0), seconds(20)));
    Suppress(job);
    Suppress(polled);
    Advance(seconds(3));
    Restart(seconds(3));
    EXPECT_EQ(Get(wait_for).cancelling, 1u);
    EXPECT_EQ(Get(job).cancelling, 0u) << "its cancel was delivered before";
    EXPECT_EQ(StateOf(job), State::kQueued);
    Advance(seconds(4) - milliseconds(1));
    EXPECT_EQ(StateOf(wait_for), State::kPending);
    Advance(milliseconds(1));
    EXPECT_EQ(ErrorOf(wait_for).kind, ErrorKind::kTimedOut);
    EXPECT_EQ(Get(wait_for).cancelling, 0u) << "the timeout took its own cancel back";
    EXPECT_EQ(StateOf(poll), State::kPending);
    ASSERT_THAT(graces, SizeIs(1));
    EXPECT_EQ(graces[0].inner, job);
    End(polled, Text("a value is no cancellation"));  // semantics 58, 60
    EXPECT_EQ(ValueOf(poll), "a value is no cancellation");
    End(job, Text(""));
    graces.clear();
  }
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, AnEndWhoseWordWasLostStillEndsThem) {  // semantics 101
  const FutureId member = Promise(1), fails = Promise(2), inner = Promise(1), shielded = Promise(1),
                 cancels = Promise(2);
  const FutureId gather = Gather(0, {member, member}), failed = Gather(0, {fails, member}),
                 wait_for = Make(0, WaitForOf(inner, seconds(5))), shield = Make(0, ShieldOf(shielded)),
                 scope = Make(0, WaitForOf(cancels, std::nullopt));
  const FutureId outer = Gather(2, {gather});
  Commit();
  hold = true;
  Settle(member, Text("m"));
  Settle(fails, Raised("F"));
  Settle(inner, Text("i"));
  Settle(shielded, Text("s"));
  CancelOne(cancels, "gone");
  EXPECT_EQ(StateOf(gather), State::kPending);
  Commit();
  Crash(seconds(60));  // also past the timeout: what is done comes first
  EXPECT_THAT(ValuesOf(*Get(gather).outcome), ElementsAre("m", "m"));
  EXPECT_EQ(ErrorOf(failed).origin, fails);
  EXPECT_EQ(ValueOf(wait_for), "i");
  EXPECT_EQ(ValueOf(shield), "s");
  EXPECT_EQ(StateOf(scope), State::kCancelled);
  EXPECT_THAT(ValuesOf(*Get(outer).outcome->gathered.at(0)), ElementsAre("m", "m"));
  EXPECT_EQ(ErrorOf(scope).message, "gone");
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, ACancelThatWasLostIsSentAgain) {  // semantics 49, 50, 62
  const FutureId promise = Promise(1), ran = Running(1), queued = Job(2), inner = Running(1), below = Promise(2);
  const FutureId nested = Make(1, WaitForOf(below, std::nullopt));
  const FutureId gather = Gather(0, {promise, ran, queued, nested, nested}, true),
                 wait_for = Make(0, WaitForOf(inner, std::nullopt));
  hold = true;
  EXPECT_EQ(CancelOne(gather, "all of you"), CancelEffect::kRequested);
  EXPECT_EQ(CancelOne(wait_for, "you too"), CancelEffect::kRequested);
  EXPECT_EQ(StateOf(promise), State::kPending);
  Commit();
  Crash();
  for (const FutureId& id : {promise, ran, queued, nested, below}) {
    EXPECT_EQ(StateOf(id), State::kCancelled);
    EXPECT_EQ(ErrorOf(id).message, "all of you");
  }
  EXPECT_EQ(Get(nested).cancelling, 2u) << "as often as it stands there";
  EXPECT_EQ(StateOf(gather), State::kFailed);
  EXPECT_EQ(ErrorOf(gather).kind, ErrorKind::kCancelled);
  EXPECT_EQ(StateOf(inner), State::kCancelled);
  EXPECT_EQ(StateOf(wait_for), State::kCancelled);
  EXPECT_EQ(ErrorOf(wait_for).message, "you too");
  EXPECT_THAT(starts, IsEmpty()) << "semantics 7: what was cancelled in time does not run again";
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, ACancelThatHadArrivedIsNotCountedTwice) {  // semantics 9, 50
  const FutureId job = Running(1), deep = Running(2);
  const FutureId scope = Make(1, WaitForOf(deep, std::nullopt));
  const FutureId gather = Gather(0, {job, scope, scope}, true);
  CancelOne(gather, "please");
  EXPECT_EQ(Get(scope).cancelling, 2u);
  EXPECT_EQ(Get(deep).cancelling, 2u);
  Suppress(job);
  Suppress(deep), Suppress(deep);
  for (uint32_t round = 2; round <= 3; ++round) {
    Restart();
    EXPECT_THAT(Started(), ElementsAre(job, deep));
    EXPECT_EQ(Get(job).cancelling, 0u);
    EXPECT_EQ(Get(deep).cancelling, 0u);
    EXPECT_EQ(Get(scope).cancelling, 2u);
    EXPECT_EQ(Get(job).attempt, round);
    Start(job), Start(deep);
  }
  CancelOne(gather, "again");  // and the sum goes on from there
  EXPECT_EQ(Get(job).cancelling, 1u);
  EXPECT_EQ(Get(scope).cancelling, 4u);
  EXPECT_EQ(Get(deep).cancelling, 2u);
  End(job, Text("j"));
  End(deep, Text("d"));
  EXPECT_EQ(ValueOf(scope), "d") << "semantics 58: the cancels were taken, and suppressed";
  EXPECT_EQ(ErrorOf(gather).kind, ErrorKind::kCancelled);
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, AWaitForKnowsItsOwnCancelFromOthers) {  // semantics 57, 58, 62, 63
  const FutureId returns = Running(1), ends = Running(1), asked = Running(1), lost = Running(1);
  std::vector<FutureId> scopes;
  for (const FutureId& inner : {returns, ends, asked}) scopes.push_back(Make(0, WaitForOf(inner, seconds(5))));
  const FutureId late = Make(0, WaitForOf(lost, seconds(6)));
  Advance(seconds(5));
  CancelOne(scopes[2], "mine");
  EXPECT_EQ(Get(asked).cancelling, 2u);
  for (const FutureId& inner : {returns, ends, asked, asked}) Suppress(inner);
  hold = true;
  Advance(seconds(1));
  EXPECT_EQ(Get(late).cancelling, 1u);
  Commit();
  Crash();
  EXPECT_THAT(Started(), ElementsAre(returns, ends, asked)) << "what arrived before is not sent a second time";
  EXPECT_EQ(Get(scopes[0]).cancelling, 1u);
  EXPECT_EQ(Get(scopes[2]).cancelling, 2u);
  EXPECT_EQ(StateOf(lost), State::kCancelled) << "what was lost is";
  EXPECT_EQ(ErrorOf(late).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(ErrorOf(late).cause->origin, lost);
  for (const FutureId& inner : {returns, ends, asked}) Start(inner);
  End(returns, Text("a value"));
  End(ends, Outcome::Cancelled(""));
  End(asked, Outcome::Cancelled("mine"));
  EXPECT_EQ(ValueOf(scopes[0]), "a value");
  EXPECT_EQ(Get(scopes[0]).cancelling, 0u);
  EXPECT_EQ(ErrorOf(scopes[1]).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(StateOf(scopes[2]), State::kCancelled) << "there was another cancel than the timeout's";
  EXPECT_EQ(ErrorOf(scopes[2]).message, "mine");
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, ACancelThatWasTooLateIsStillNotLost) {  // semantics 62, 51
  const FutureId inner = Promise(1), timed = Promise(1), member = Promise(1);
  const FutureId scope = Make(0, WaitForOf(inner, std::nullopt)), expiring = Make(0, WaitForOf(timed, seconds(5))),
                 gather = Gather(0, {member});
  hold = true;
  for (const FutureId& id : {inner, timed, member}) Settle(id, Text("in time"));
  CancelOne(scope, "mine");
  CancelOne(gather, "ours");
  Advance(seconds(5));
  Commit();
  Crash();
  EXPECT_EQ(StateOf(scope), State::kCancelled);
  EXPECT_EQ(ErrorOf(scope).message, "mine");
  EXPECT_EQ(ErrorOf(expiring).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(StateOf(gather), State::kSucceeded) << "none of its members could be cancelled any more";
  ExpectNothingLeft();
}

// As before, but the cancels were under way and had been taken: the members' shard says so after the restart.
TEST_F(RestoreCombinatorsTest, WhetherACancelTookIsRemembered) {  // semantics 50, 58
  const FutureId job = Running(1), other = Running(1);
  const FutureId scope = Make(0, WaitForOf(job, std::nullopt)), gather = Gather(0, {other});
  CancelOne(scope, "mine");
  CancelOne(gather, "ours");
  hold = true;
  End(job, Text("all the same"));
  End(other, Text("as well"));
  Commit();
  Crash();
  EXPECT_EQ(ValueOf(scope), "all the same") << "taken and suppressed, not missed";
  EXPECT_EQ(ErrorOf(gather).kind, ErrorKind::kCancelled);
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, CancelsReachTheMembersAfterwards) {  // semantics 49
  const FutureId here = Promise(0), elsewhere = Promise(1), job = Job(2);
  const FutureId gather = Gather(0, {job, here, elsewhere, job});
  Restart();
  Start(job);
  EXPECT_EQ(CancelOne(gather, "after"), CancelEffect::kCancelled);
  EXPECT_EQ(ErrorOf(here).message, "after");
  EXPECT_EQ(ErrorOf(elsewhere).message, "after");
  EXPECT_EQ(Get(job).cancelling, 2u);
  EXPECT_EQ(cancel_jobs.at(0).times, 2u);
  End(job, Outcome::Cancelled("after"));
  EXPECT_EQ(StateOf(gather), State::kFailed);
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, OneThatWasNotAnsweredIsNotThere) {  // semantics 102
  const FutureId member = Promise(1);
  hold = true;
  Options options;
  options.request_id = "r";
  Submit command = Command(GatherSpec{{member}, false}, options);
  const Token token = command.token;
  Do(0, std::move(command));
  EXPECT_EQ(submitted.count(token), 0u);
  Commit();
  EXPECT_THAT(stores[0].futures, IsEmpty());
  EXPECT_THAT(stores[0].requests, IsEmpty());
  Crash();
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 0u);
  const Submitted again = Answer(0, Command(GatherSpec{{member}, false}, options));
  EXPECT_FALSE(again.deduplicated);
  EXPECT_TRUE(again.refusal.ok());
  Settle(member, Text(""));
  EXPECT_EQ(StateOf(again.id), State::kSucceeded);
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, AnUnsubscribeThatWasLostLeavesNothingBehind) {  // semantics 36
  const FutureId held = Kept(1, seconds(1), Text("x")), live = Promise(1);
  const FutureId gather = Gather(0, {held}), shield = Make(0, ShieldOf(live));
  Advance(seconds(1));
  EXPECT_EQ(Get(held).state, State::kSucceeded) << "expired, and pinned";
  hold = true;
  EXPECT_TRUE(Delete(gather).ok());
  CancelOne(shield);
  Commit();
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 2u);
  Crash();
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 0u);
  EXPECT_FALSE(Exists(held));
  EXPECT_EQ(StateOf(live), State::kPending);
  Settle(live, Text(""));
  ExpectNothingLeft();
}

TEST_F(RestoreCombinatorsTest, ABodyAwaitsAgain) {  // semantics 12
  const FutureId job = Running(0), target = Promise(1);
  const auto await_target = [&] {
    Await await;
    await.token = ++last_token;
    await.ns = kNs;
    await.job = job;
    await.attempt = Get(job).attempt;
    await.target = target;
    Do(0, await);
    return await.token;
  };
  await_target();
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 1u);
  Restart();
  EXPECT_EQ(shards[1]->Ask(core::GetStats()).links, 0u) << "the body that awaited is gone";
  Start(job);
  const Token again = await_target();
  CancelOne(job, "through");
  EXPECT_EQ(ErrorOf(target).message, "through");
  EXPECT_EQ(awaits.at(again).completion.state, State::kCancelled);
  End(job, Outcome::Cancelled("through"));
  ExpectNothingLeft();
}

}  // namespace
}  // namespace muster::core
