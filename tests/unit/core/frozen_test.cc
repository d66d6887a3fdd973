// A shard whose journal has failed, or whose server is about to be started again: nothing changes any more, and nothing
// is shown that a restart could take back (semantics 101).
#include "tests/unit/core/restore_fixture.h"

namespace muster::core {
namespace {

class FrozenTest : public RestoreTest {
 protected:
  const absl::Status refusal = absl::UnavailableError("the journal has failed");

  // What was taken up to now is durable.
  void Freeze() { Freeze(stores[0].batches); }
  void Freeze(uint64_t durable) { shards[0]->Freeze(durable, refusal); }
  absl::StatusOr<FutureView> Look(FutureId id) { return test::Get(*shards[0], kNs, id, true); }
};

TEST_F(FrozenTest, CommandsAreRefused) {
  const FutureId promise = Promise(0), done = Promise(0), job = Running(0);
  Settle(done, Text("x"));
  Commit();
  Freeze();
  EXPECT_EQ(Answer(0, Command(PromiseSpec{})).refusal, refusal);
  EXPECT_EQ(Answer(0, Command(JobOf("in"))).refusal, refusal);
  EXPECT_EQ(Answer(0, Command(GatherSpec{{done}, false})).refusal, refusal);
  EXPECT_EQ(Answer(0, Command(ShieldOf(done))).refusal, refusal);
  EXPECT_EQ(Settle(promise, Text("late")).refusal, refusal);
  EXPECT_EQ(Settle(done, Text("late")).refusal, refusal);
  EXPECT_EQ(Delete(done), refusal);
  Cancel cancel;
  cancel.token = ++last_token;
  cancel.ns = kNs;
  cancel.set.ids = {promise, job};
  Do(0, cancel);
  EXPECT_EQ(cancels.at(cancel.token).refusal, refusal);
  EXPECT_THAT(cancels.at(cancel.token).effects, IsEmpty());
  EXPECT_THAT(cancel_jobs, IsEmpty());
  Await await;
  await.token = ++last_token;
  await.ns = kNs;
  await.job = job;
  await.target = done;
  Do(0, await);
  EXPECT_EQ(awaits.at(await.token).refusal, refusal);
  const Token stream = Stream({done});
  EXPECT_EQ(streams.at(stream).refusal, refusal);
  EXPECT_THAT(Take(0, stream), IsEmpty());
  EXPECT_FALSE(shards[0]->HasChanges());
  EXPECT_EQ(StateOf(promise), State::kPending);
  EXPECT_EQ(shards[0]->Ask(core::GetStats()).futures, 3u);
}

TEST_F(FrozenTest, ARepeatedRequestIsRefusedToo) {  // semantics 102
  Options options;
  options.request_id = "r";
  Submit command = Command(PromiseSpec{}, options);
  EXPECT_TRUE(Answer(0, std::move(command)).refusal.ok());
  Commit();
  Freeze();
  const Submitted again = Answer(0, Command(PromiseSpec{}, options));
  EXPECT_EQ(again.refusal, refusal);
  EXPECT_FALSE(again.id);
}

TEST_F(FrozenTest, WhatBodiesSayIsIgnored) {  // semantics 103
  const FutureId queued = Job(0), running = Running(0), asked = Running(0);
  CancelOne(asked);
  Commit();
  Freeze();
  Start(queued);
  EXPECT_EQ(StateOf(queued), State::kQueued);
  JobProgress progress;
  progress.id = running;
  progress.message = "half";
  Do(0, progress);
  EXPECT_EQ(Get(running).progress_message, "");
  Uncancel uncancel;
  uncancel.id = asked;
  Do(0, uncancel);
  EXPECT_EQ(Get(asked).cancelling, 1u);
  for (const FutureId& id : {queued, running, asked}) End(id, Text("unheard"));
  EXPECT_EQ(StateOf(running), State::kRunning);
  EXPECT_FALSE(shards[0]->HasChanges());
  Crash();
  EXPECT_EQ(Get(running).attempt, 2u) << "it runs again";
}

TEST_F(FrozenTest, NoTimerFires) {
  Options options;
  options.delay = seconds(1);
  const FutureId delayed = Job(0, options), promise = Promise(0), done = Kept(0, seconds(1), Text("x"));
  const FutureId wait_for = Make(0, WaitForOf(promise, seconds(1)));
  const Token wait = Wait({promise}, now + seconds(1));
  Commit();
  Freeze();
  EXPECT_EQ(shards[0]->NextDeadline(), base::kNever);
  now += hours(1);
  Effects out;
  shards[0]->Tick(now, out);
  EXPECT_THAT(out, IsEmpty());
  EXPECT_EQ(StateOf(delayed), State::kDelayed);
  EXPECT_EQ(StateOf(wait_for), State::kPending);
  EXPECT_EQ(ValueOf(done), "x") << "kept past its time";
  EXPECT_EQ(waits.count(wait), 0u);
}

TEST_F(FrozenTest, WhatOtherShardsSayIsIgnored) {
  const FutureId promise = Promise(0), elsewhere = Promise(1);
  const FutureId gather = Gather(0, {elsewhere}), there = Gather(1, {promise});
  Commit();
  Freeze();
  Settle(elsewhere, Text("x"));
  EXPECT_EQ(StateOf(gather), State::kPending);
  CancelOne(there);
  EXPECT_EQ(StateOf(promise), State::kPending);
  const Token unanswered = last_token + 1;
  Do(1, Command(GatherSpec{{promise}, false}));
  EXPECT_EQ(submitted.count(unanswered), 0u) << "it is never told whether its member is there";
}

TEST_F(FrozenTest, JobsAreNotHandedOutAnyMore) {  // semantics 103
  Job(0);
  const FutureId ran = Running(0);
  Commit();
  ASSERT_TRUE(Restore(seconds(0)).ok());
  Freeze();
  Effects out;
  EXPECT_FALSE(shards[0]->Resume(10, now, out));
  EXPECT_THAT(out, IsEmpty());
  EXPECT_EQ(Get(ran).attempt, 1u);
}

TEST_F(FrozenTest, WhatIsDurableCanBeSeen) {
  const FutureId promise = Promise(0), done = Promise(0);
  Settle(done, Text("x"));
  Commit();
  Freeze();
  ASSERT_TRUE(Look(promise).ok());
  ASSERT_TRUE(Look(done).ok());
  EXPECT_EQ(Look(done)->outcome->value.body(), "x");
  EXPECT_EQ(test::TakeOutcome(*shards[0], kNs, done, true), Look(done)->outcome);
  EXPECT_TRUE(test::CheckReadable(*shards[0]).ok());
  FutureId unknown = promise;
  unknown.sequence += 100;
  EXPECT_EQ(WhyNot(Look(unknown).status()), base::Reason::kFutureNotFound);
}

TEST_F(FrozenTest, WhatIsNotDurableCannot) {
  const FutureId old = Promise(0), taken = Promise(0), untaken = Promise(0);
  Commit();
  const uint64_t durable = stores[0].batches;
  Settle(taken, Text("in a batch that was not written"));
  Commit();
  Settle(untaken, Text("in none"));
  const FutureId made = Promise(0);
  Freeze(durable);
  EXPECT_TRUE(Look(old).ok());
  for (const FutureId& id : {taken, untaken, made}) {
    EXPECT_EQ(Look(id).status(), refusal);
    EXPECT_EQ(test::TakeOutcome(*shards[0], kNs, id, true), nullptr);
  }
  EXPECT_EQ(test::CheckReadable(*shards[0]), refusal);
}

TEST_F(FrozenTest, ListsAreReadableWhenAllThatTheyShowIsDurable) {
  EXPECT_TRUE(test::CheckReadable(*shards[0]).ok());
  Promise(0);
  EXPECT_TRUE(test::CheckReadable(*shards[0]).ok()) << "not frozen: whoever shows it waits until it is durable";
  Commit();
  const uint64_t durable = stores[0].batches;
  Freeze(durable);
  EXPECT_TRUE(test::CheckReadable(*shards[0]).ok());
  Freeze(durable - 1);
  EXPECT_EQ(test::CheckReadable(*shards[0]), refusal) << "the batch was taken, and not written";
}

TEST_F(FrozenTest, ListsAreNotReadableWhileSomethingWasNotTaken) {
  const FutureId done = Kept(0, hours(1), Text(""));
  Commit();
  EXPECT_TRUE(Delete(done).ok());
  Freeze();
  EXPECT_EQ(test::CheckReadable(*shards[0]), refusal);
}

TEST_F(FrozenTest, ARestoredShardIsReadableBeforeItsFirstBatch) {
  const FutureId done = Kept(0, hours(1), Text("x"));
  Commit();
  ASSERT_TRUE(Restore(seconds(0)).ok());
  Freeze(0);
  EXPECT_EQ(Look(done)->outcome->value.body(), "x");
  EXPECT_TRUE(test::CheckReadable(*shards[0]).ok());
}

// The restart may bring it back.
TEST_F(FrozenTest, WhatIsGoneIsSaidToBeGoneOnlyWhenThatIsDurable) {
  const FutureId gone = Kept(0, hours(1), Text("")), pinned = Promise(0);
  const FutureId gather = Gather(0, {pinned, Promise(0)});
  Settle(pinned, Text(""));
  Commit();
  EXPECT_TRUE(Delete(gone).ok());
  EXPECT_TRUE(Delete(pinned).ok());
  Freeze();
  for (const FutureId& id : {gone, pinned}) {
    EXPECT_EQ(Look(id).status(), refusal);
    EXPECT_EQ(waits.at(Wait({id})).refusal, refusal);
  }
  EXPECT_EQ(waits.at(Wait({gather})).refusal, refusal) << "not done, and will not be";
}

TEST_F(FrozenTest, AWaitForWhatWasDoneIsAnswered) {
  const FutureId first = Promise(0), second = Promise(0), live = Promise(0), late = Promise(0);
  Settle(second, Text("2"));
  Settle(first, Text("1"));
  Commit();
  Settle(late, Text("not written"));
  Freeze();
  const WaitEnded& ended = waits.at(Wait({first, second}));
  EXPECT_TRUE(ended.refusal.ok());
  EXPECT_THAT(IdsOf(ended.done), ElementsAre(second, first));
  EXPECT_EQ(waits.at(Wait({first, live})).refusal, refusal);
  EXPECT_EQ(waits.at(Wait({late})).refusal, refusal);
  EXPECT_EQ(waits.at(Wait({first, live}, now)).refusal, refusal) << "not even a poll: it would say what is pending";
  EXPECT_EQ(shards[0]->Ask(core::GetStats()).waits, 0u);
}

TEST_F(FrozenTest, AWaitForAGroup) {
  Options options;
  options.group = "g";
  const FutureId stays = Promise(0, options), goes = Promise(0, options);
  Settle(stays, Text(""));
  Settle(goes, Text(""));
  Commit();
  AttachWait wait;
  wait.ns = kNs;
  wait.set.group = "g";
  wait.token = ++last_token;
  const uint64_t durable = stores[0].batches;
  Freeze(durable);
  Do(0, wait);
  EXPECT_THAT(IdsOf(waits.at(wait.token).done), ElementsAre(stays, goes));
  shards[0]->Freeze(durable, absl::OkStatus());  // thawed, as no server does
  EXPECT_TRUE(Delete(goes).ok());
  Freeze(durable);
  wait.token = ++last_token;
  Do(0, wait);
  EXPECT_EQ(waits.at(wait.token).refusal, refusal) << "the group may have had another member";
}

TEST_F(FrozenTest, AnOpenStreamGivesNoMoreThanIsDurable) {  // semantics 101
  const FutureId saved = Promise(0), unsaved = Promise(0);
  const Token stream = Stream({saved, unsaved});
  Settle(saved, Text("1"));
  Commit();
  Settle(unsaved, Text("2"));
  Freeze();
  EXPECT_THAT(IdsOf(Take(0, stream)), ElementsAre(saved));
  EXPECT_FALSE(status.ended);
  EXPECT_THAT(Take(0, stream), IsEmpty());
  EXPECT_EQ(status.remaining, 1u);
}

TEST_F(FrozenTest, WhoWaitsCanLeave) {
  const FutureId promise = Promise(0);
  Submit call = Command(JobOf("in"));
  call.attach = true;
  const Token called = call.token;
  Answer(0, std::move(call));
  const Token wait = Wait({promise}), stream = Stream({promise});
  Commit();
  Freeze();
  for (const Token token : {called, wait, stream}) Leave(0, token);
  const ShardStats stats = shards[0]->Ask(core::GetStats());
  EXPECT_EQ(stats.calls, 0u);
  EXPECT_EQ(stats.waits, 0u);
  EXPECT_EQ(stats.streams, 0u);
  EXPECT_EQ(stats.links, 0u);
}

}  // namespace
}  // namespace muster::core
