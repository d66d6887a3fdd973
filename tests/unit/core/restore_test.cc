// Jobs and promises after a restart of the server: what comes back, what goes on, what runs again.
#include "tests/unit/core/restore_fixture.h"

namespace muster::core {
namespace {

void ExpectSameOutcome(const OutcomeRef& before, const OutcomeRef& after) {
  ASSERT_EQ(before == nullptr, after == nullptr);
  if (before == nullptr) return;
  EXPECT_EQ(before->kind, after->kind);
  EXPECT_EQ(before->value.encoding(), after->value.encoding());
  EXPECT_EQ(before->value.body(), after->value.body());
  ASSERT_EQ(before->error == nullptr, after->error == nullptr);
  if (before->error != nullptr) {
    EXPECT_EQ(before->error->kind, after->error->kind);
    EXPECT_EQ(before->error->type, after->error->type);
    EXPECT_EQ(before->error->message, after->error->message);
    EXPECT_EQ(before->error->origin, after->error->origin);
  }
  ASSERT_EQ(before->gathered.size(), after->gathered.size());
  for (size_t at = 0; at < before->gathered.size(); ++at) ExpectSameOutcome(before->gathered[at], after->gathered[at]);
}

void ExpectSame(const FutureView& before, const FutureView& after) {
  EXPECT_EQ(before.id, after.id);
  EXPECT_EQ(before.kind, after.kind);
  EXPECT_EQ(before.function, after.function);
  EXPECT_EQ(before.state, after.state);
  EXPECT_EQ(before.cancelling, after.cancelling);
  EXPECT_EQ(before.attempt, after.attempt);
  EXPECT_EQ(before.name, after.name);
  EXPECT_EQ(before.create_time, after.create_time);
  EXPECT_EQ(before.start_time, after.start_time);
  EXPECT_EQ(before.end_time, after.end_time);
  EXPECT_EQ(before.expire_time, after.expire_time);
  EXPECT_EQ(before.members, after.members);
  EXPECT_EQ(before.options, after.options) << "the store keeps the very options";
  ExpectSameOutcome(before.outcome, after.outcome);
}

TEST_F(RestoreTest, EveryKindComesBackAsItWas) {  // semantics 101, 102
  Options full = Named("a name");
  full.labels = {{"team", "blue"}};
  full.group = "g";
  full.metadata = {{"traceparent", "00-1"}};
  full.queue_timeout = hours(1);
  full.run_timeout = hours(2);
  Options delayed = full;
  delayed.delay = hours(3);

  std::vector<FutureId> ids;
  const FutureId promise = Promise(0, full), elsewhere = Promise(1), failed = Promise(2), cancelled = Promise(0);
  ids = {promise, elsewhere, failed, cancelled};
  ids.push_back(Job(0, full));
  ids.push_back(Job(1));
  ids.push_back(Job(2, delayed));
  ids.push_back(Make(0, GatherSpec{{elsewhere, promise, elsewhere}, true}, full));
  ids.push_back(Make(1, ShieldOf(promise), full));
  ids.push_back(Make(2, ShieldOf(elsewhere)));
  ids.push_back(Make(0, WaitForOf(promise, hours(4)), full));
  ids.push_back(Make(2, WaitForOf(elsewhere, std::nullopt)));
  // Those that will be done.
  const FutureId job = Running(0, full), blocking = Make(1, JobOf("b", FunctionKind::kBlocking));
  Start(blocking);
  ids.insert(ids.end(), {job, blocking});
  ids.push_back(Gather(2, {job, blocking, job}));
  ids.push_back(Gather(0, {failed, promise}));
  ids.push_back(Gather(1, {failed, cancelled}, true));
  ids.push_back(Gather(1, {}));
  ids.push_back(Make(1, ShieldOf(failed), full));
  ids.push_back(Make(0, ShieldOf(cancelled)));
  ids.push_back(Make(1, WaitForOf(job, seconds(60)), full));
  ids.push_back(Make(0, WaitForOf(failed, seconds(60))));
  End(job, Text("a result"));
  End(blocking, Text("another"));
  Settle(failed, Raised("ValueError", "no"));
  CancelOne(cancelled, "unwanted");

  std::vector<FutureView> before;
  for (const FutureId& id : ids) before.push_back(Get(id));
  for (int round = 0; round < 2; ++round) {  // and what came back comes back
    Restart(seconds(5));
    for (size_t at = 0; at < ids.size(); ++at) {
      SCOPED_TRACE("future " + std::to_string(at));
      ExpectSame(before[at], Get(ids[at]));
    }
    for (size_t at = 0; at < kShards; ++at) {
      std::vector<FutureId> of_group;
      for (const FutureId& id : ids) {
        if (id.shard == at && Get(id).options != nullptr && Get(id).options->group == "g") of_group.push_back(id);
      }
      std::sort(of_group.begin(), of_group.end());
      EXPECT_EQ(test::GroupMembers(*shards[at], kNs, "g"), of_group);
    }
  }
  Settle(promise, Text("")), Settle(elsewhere, Text(""));
  for (const StartJob& start : std::vector<StartJob>(starts)) End(start.id, Text(""));
  ExpectNothingLeft();
}

TEST_F(RestoreTest, ListIsInOrderOfCreation) {
  std::vector<FutureId> ids;
  std::vector<FutureId> gone;
  for (int at = 0; at < 1200; ++at) {
    const FutureId id = Promise(0);
    // Neighbours leave holes, and some blocks of the index lose their first.
    if (at % 3 == 0 || (at > 500 && at < 800)) {
      Settle(id, Text(""));
      EXPECT_TRUE(Delete(id).ok());
      gone.push_back(id);
    } else {
      ids.push_back(id);
    }
  }
  Restart();
  const FutureId later = Promise(0);
  EXPECT_GT(later.sequence, ids.back().sequence);
  ids.push_back(later);
  std::vector<FutureId> listed;
  ListFutures query;
  query.ns = kNs;
  do {
    for (const FutureView& view : test::List(*shards[0], query, &query.after_sequence)) listed.push_back(view.id);
  } while (query.after_sequence != 0);
  EXPECT_EQ(listed, ids);
  // The slots in between are used again, and lead to no old id.
  std::vector<FutureId> fresh;
  for (size_t at = 0; at < gone.size(); ++at) fresh.push_back(Promise(0));
  for (const FutureId& id : gone) EXPECT_EQ(WhyNot(id), base::Reason::kFutureExpired);
  for (const FutureId& id : ids) EXPECT_EQ(StateOf(id), State::kPending);
}

TEST_F(RestoreTest, ADelayGoesOnWhileTheServerIsDown) {  // semantics 99
  Options options;
  options.delay = seconds(10);
  options.queue_timeout = seconds(5);
  const FutureId first = Job(0, options);
  options.delay = seconds(100);
  const FutureId second = Job(0, options);
  Advance(seconds(3));
  Restart(seconds(20));
  EXPECT_THAT(starts, IsEmpty());
  Advance(seconds(0));
  EXPECT_THAT(Started(), ElementsAre(first)) << "its time came while the server was down";
  EXPECT_EQ(starts[0].attempt, 1u);
  EXPECT_EQ(starts[0].input.body(), "in");
  Advance(seconds(5));
  EXPECT_EQ(ErrorOf(first).kind, ErrorKind::kQueueTimedOut) << "it queued from when it was handed out";
  Advance(seconds(100 - 28) - milliseconds(1));
  EXPECT_EQ(StateOf(second), State::kDelayed);
  Advance(milliseconds(1));
  EXPECT_EQ(StateOf(second), State::kQueued);
}

TEST_F(RestoreTest, AQueueTimeoutGoesOnWhileTheServerIsDown) {  // semantics 99
  Options options;
  options.queue_timeout = seconds(10);
  const FutureId late = Job(0, options);
  options.queue_timeout = seconds(20);
  const FutureId goes_on = Job(0, options), ran = Running(0, options);
  Advance(seconds(4));
  Restart(seconds(6));
  EXPECT_THAT(Started(), ElementsAre(goes_on, ran)) << "what timed out while down is not handed out";
  EXPECT_EQ(ErrorOf(late).kind, ErrorKind::kQueueTimedOut);
  EXPECT_THAT(withdrawn, IsEmpty()) << "nobody had been told to run it";
  Advance(seconds(10) - milliseconds(1));
  EXPECT_EQ(StateOf(goes_on), State::kQueued);
  Advance(milliseconds(1));
  EXPECT_EQ(ErrorOf(goes_on).kind, ErrorKind::kQueueTimedOut);
  EXPECT_THAT(withdrawn, ElementsAre(goes_on));
  Advance(hours(1));
  EXPECT_EQ(StateOf(ran), State::kQueued) << "it had begun in time";
}

TEST_F(RestoreTest, AQueueTimeoutMayFireBeforeTheJobIsHandedOutAgain) {  // semantics 99
  Options options;
  options.queue_timeout = seconds(10);
  const FutureId job = Job(0, options);
  Commit();
  ASSERT_TRUE(Restore(seconds(10)).ok());
  Advance(seconds(0));
  EXPECT_EQ(ErrorOf(job).kind, ErrorKind::kQueueTimedOut);
  Resume();
  EXPECT_THAT(starts, IsEmpty());
  EXPECT_THAT(withdrawn, IsEmpty());
}

TEST_F(RestoreTest, ARunTimeoutStartsAnew) {  // semantics 99, 103
  Options options;
  options.run_timeout = seconds(10);
  const FutureId job = Running(0, options);
  Advance(seconds(9));
  Restart(seconds(9));
  ASSERT_THAT(Started(), ElementsAre(job));
  EXPECT_EQ(starts[0].run_deadline, now + seconds(10));
  Advance(seconds(5));  // it queues meanwhile
  Start(job);
  Advance(seconds(10) - milliseconds(1));
  EXPECT_EQ(Get(job).cancelling, 0u);
  Advance(milliseconds(1));
  EXPECT_EQ(Get(job).cancelling, 1u);
  End(job, Outcome::Cancelled(""));
  EXPECT_EQ(ErrorOf(job).kind, ErrorKind::kTimedOut);
}

TEST_F(RestoreTest, RetentionGoesOnWhileTheServerIsDown) {  // semantics 100
  const FutureId short_one = Kept(0, seconds(30), Text("s")), long_one = Kept(0, minutes(10), Text("l"));
  const base::Instant end = now;
  Advance(seconds(10));
  Restart(seconds(60));
  EXPECT_EQ(Get(long_one).expire_time, end + minutes(10));
  Advance(seconds(0));
  EXPECT_EQ(WhyNot(short_one), base::Reason::kFutureExpired);
  Advance(minutes(10) - seconds(70) - milliseconds(1));
  EXPECT_EQ(ValueOf(long_one), "l");
  Advance(milliseconds(1));
  EXPECT_EQ(WhyNot(long_one), base::Reason::kFutureExpired);
  ExpectNothingLeft();
}

TEST_F(RestoreTest, WhatRanRunsAgainAndWhatQueuedGoesOnQueueing) {  // semantics 103
  Options options = Named("first");
  options.at_most_once = false;
  const FutureId first = Make(0, JobOf("1"), options), second = Make(0, JobOf("2")), third = Make(0, JobOf("3")),
                 done = Make(0, JobOf("4"));
  Start(second);
  Start(done);
  End(done, Text("x"));
  const base::Instant started = Get(second).start_time;
  EXPECT_NE(started, base::kNever);
  Restart(seconds(1));
  EXPECT_THAT(Started(), ElementsAre(first, second, third)) << "in order of creation";
  EXPECT_EQ(starts[0].attempt, 1u);
  EXPECT_EQ(starts[1].attempt, 2u);
  EXPECT_EQ(starts[2].attempt, 1u);
  EXPECT_EQ(starts[0].input.body(), "1");
  EXPECT_EQ(starts[1].input.body(), "2");
  EXPECT_EQ(starts[0].options->name, "first");
  EXPECT_EQ(starts[1].function, 5u);
  EXPECT_EQ(starts[1].ns, kNs);
  EXPECT_EQ(StateOf(second), State::kQueued);
  EXPECT_EQ(Get(second).start_time, base::kNever);

  JobEnded late;  // a word of the first run
  late.id = second;
  late.attempt = 1;
  late.outcome = Text("late");
  Do(0, late);
  EXPECT_EQ(StateOf(second), State::kQueued);
  Start(second);
  Restart(seconds(1));
  EXPECT_EQ(Get(second).attempt, 3u);
  Restart(seconds(1));
  EXPECT_EQ(Get(second).attempt, 3u) << "it had not begun";
  for (const FutureId& id : {first, second, third}) End(id, Text("end"));
  ExpectNothingLeft();
}

TEST_F(RestoreTest, JobsAreHandedOutAFewAtATime) {
  std::vector<FutureId> jobs;
  for (int at = 0; at < 5; ++at) jobs.push_back(Job(0));
  Commit();
  ASSERT_TRUE(Restore(seconds(0)).ok());
  Effects out;
  EXPECT_TRUE(shards[0]->Resume(2, now, out));
  Sort(0, out);
  EXPECT_THAT(Started(), ElementsAre(jobs[0], jobs[1]));
  // Other commands come in between: one is cancelled, and a new one does not wait for the old.
  EXPECT_EQ(CancelOne(jobs[2], "not again"), CancelEffect::kCancelled);  // semantics 7
  EXPECT_THAT(withdrawn, IsEmpty());
  const FutureId fresh = Job(0);
  Resume(2);
  EXPECT_THAT(Started(), ElementsAre(jobs[0], jobs[1], fresh, jobs[3], jobs[4]));
  EXPECT_EQ(ErrorOf(jobs[2]).message, "not again");
}

TEST_F(RestoreTest, ARunningJobThatIsCancelledBeforeItRunsAgainNeverDoes) {  // semantics 7
  const FutureId job = Running(0), gone = Running(0);
  Commit();
  ASSERT_TRUE(Restore(seconds(0)).ok());
  EXPECT_EQ(CancelOne(job, "no"), CancelEffect::kCancelled);
  EXPECT_EQ(CancelOne(gone), CancelEffect::kCancelled);
  EXPECT_TRUE(Delete(gone).ok());
  const FutureId in_its_place = Promise(0);
  EXPECT_EQ(in_its_place.slot, gone.slot);
  Resume();
  EXPECT_THAT(starts, IsEmpty());
  EXPECT_THAT(cancel_jobs, IsEmpty()) << "there is no body";
  EXPECT_EQ(StateOf(job), State::kCancelled);
}

TEST_F(RestoreTest, AtMostOnceRunsOnceOrNotAtAll) {  // semantics 103
  Options once;
  once.at_most_once = true;
  const FutureId ran = Running(0, once), queued = Job(0, once), asked = Running(0, once);
  once.delay = seconds(5);
  const FutureId delayed = Job(0, once);
  const FutureId gather = Gather(1, {ran}, true);
  CancelOne(asked, "stop");
  Restart(seconds(1));
  EXPECT_EQ(StateOf(ran), State::kFailed);
  EXPECT_EQ(ErrorOf(ran).kind, ErrorKind::kInterrupted);
  EXPECT_EQ(Get(ran).attempt, 1u);
  EXPECT_EQ(Get(gather).outcome->gathered.at(0)->error->kind, ErrorKind::kInterrupted);
  EXPECT_EQ(StateOf(asked), State::kCancelled);
  EXPECT_THAT(Started(), ElementsAre(queued));
  EXPECT_TRUE(starts[0].at_most_once);
  Advance(seconds(4));
  EXPECT_THAT(Started(), ElementsAre(queued, delayed));
  Restart();  // the end is recorded, and is what it was
  EXPECT_EQ(ErrorOf(ran).kind, ErrorKind::kInterrupted);
  for (const FutureId& id : {queued, delayed}) End(id, Text(""));
  ExpectNothingLeft();
}

TEST_F(RestoreTest, WhatWasAskedToEndEndsAsCancelled) {  // semantics 8, 103
  const FutureId job = Running(0), twice = Running(0), withdrew = Running(0), awaiting = Running(0);
  CancelOne(job, "why");
  CancelOne(twice, "first");
  CancelOne(twice, "second");
  CancelOne(withdrew, "never mind");
  Uncancel uncancel;
  uncancel.id = withdrew;
  Do(0, uncancel);
  Await await;
  await.token = ++last_token;
  await.ns = kNs;
  await.job = awaiting;
  await.target = Running(0);  // whose body takes its time
  Do(0, await);
  CancelOne(awaiting, "through and through");
  Restart(seconds(1));
  EXPECT_EQ(StateOf(job), State::kCancelled);
  EXPECT_EQ(ErrorOf(job).message, "why");
  EXPECT_EQ(Get(job).end_time, now);
  EXPECT_EQ(ErrorOf(twice).message, "second");
  EXPECT_EQ(Get(twice).cancelling, 2u);
  EXPECT_EQ(ErrorOf(awaiting).message, "through and through");
  EXPECT_EQ(ErrorOf(await.target).message, "through and through");
  EXPECT_THAT(Started(), ElementsAre(withdrew)) << "a cancel that the body took back is none";
  EXPECT_EQ(Get(withdrew).attempt, 2u);
}

TEST_F(RestoreTest, WhatRanOutOfTimeAndWasEndingHasTimedOut) {  // semantics 57, 63, 103
  Options options;
  options.run_timeout = seconds(10);
  const FutureId alone = Running(0, options), also_asked = Running(0, options), ignored = Running(0, options);
  CancelOne(also_asked, "mine");
  Advance(seconds(10));
  EXPECT_EQ(Get(alone).cancelling, 1u);
  Uncancel uncancel;
  uncancel.id = ignored;
  Do(0, uncancel);
  Restart(seconds(1));
  EXPECT_EQ(StateOf(alone), State::kFailed);
  EXPECT_EQ(ErrorOf(alone).kind, ErrorKind::kTimedOut);
  EXPECT_EQ(ErrorOf(alone).cause->kind, ErrorKind::kCancelled);
  EXPECT_EQ(Get(alone).cancelling, 0u);
  EXPECT_EQ(StateOf(also_asked), State::kCancelled) << "another cancel is left";
  EXPECT_EQ(Get(also_asked).cancelling, 1u);
  ASSERT_THAT(Started(), ElementsAre(ignored));
  // The timeout of the run that was does not count for the next.
  Start(ignored);
  CancelOne(ignored, "now");
  End(ignored, Outcome::Cancelled("now"));
  EXPECT_EQ(StateOf(ignored), State::kCancelled);
}

TEST_F(RestoreTest, ACallThatNobodyWaitsForAnyMoreIsKeptForAWhile) {  // semantics 98, 100
  Submit call = Command(JobOf("in"));
  call.attach = call.drop_when_delivered = true;
  call.retention = hours(5);
  const FutureId job = Answer(0, std::move(call)).id;
  Start(job);
  Restart(seconds(1));
  Start(job);
  End(job, Text("undelivered"));
  EXPECT_EQ(ValueOf(job), "undelivered");
  Advance(seconds(20));
  Restart(seconds(20));
  EXPECT_EQ(ValueOf(job), "undelivered");
  Advance(seconds(20) - milliseconds(1));
  EXPECT_TRUE(Exists(job));
  Advance(milliseconds(1));
  EXPECT_EQ(WhyNot(job), base::Reason::kFutureExpired);
  ExpectNothingLeft();
}

TEST_F(RestoreTest, WhatWasOnlyHeldByThoseWhoAreGoneGoes) {  // semantics 36, 100
  const FutureId live = Promise(0), expired = Kept(0, seconds(0), Text("x")), deleted = Kept(0, hours(1), Text("y"));
  const FutureId held = Promise(0);
  Settle(held, Text("z"));
  const FutureId gather = Gather(0, {held, live});
  const Token stream = Stream({live, deleted, held});
  EXPECT_TRUE(Delete(deleted).ok());
  EXPECT_TRUE(Delete(held).ok());
  Advance(seconds(0));
  EXPECT_FALSE(Exists(expired)) << "nobody held it";
  Commit();
  EXPECT_EQ(stores[0].futures.size(), 4u) << "the stream holds what was deleted";
  EXPECT_TRUE(RecordOf(deleted).hidden);
  Restart();
  EXPECT_THAT(dropped, ElementsAre(deleted)) << "held is a member still";
  EXPECT_EQ(WhyNot(deleted), base::Reason::kFutureExpired);
  EXPECT_EQ(WhyNot(held), base::Reason::kFutureExpired);
  Commit();
  EXPECT_EQ(stores[0].futures.size(), 3u);
  Settle(live, Text("w"));
  EXPECT_EQ(Get(gather).outcome->gathered.at(0)->value.body(), "z");
  EXPECT_THAT(Take(0, stream), IsEmpty());
  EXPECT_TRUE(status.ended) << "streams are gone with the process";
  ExpectNothingLeft();
}

TEST_F(RestoreTest, ASettleCanBeRepeatedAfterARestart) {  // semantics 2, 102
  const FutureId promise = Promise(0);
  Settle(promise, Text("once"), "s1");
  Restart();
  EXPECT_TRUE(Settle(promise, Text("once"), "s1").refusal.ok());
  EXPECT_EQ(WhyNot(Settle(promise, Text("other"), "s2").refusal), base::Reason::kAlreadyDone);
  EXPECT_EQ(ValueOf(promise), "once");
}

TEST_F(RestoreTest, WhatWasNotCommittedIsNotThere) {  // semantics 101
  const FutureId promise = Promise(0), job = Running(0);
  Commit();
  Settle(promise, Text("nobody has seen it"));
  End(job, Text("nor this"));
  const FutureId never = Promise(0);
  Crash();
  EXPECT_EQ(StateOf(promise), State::kPending);
  EXPECT_EQ(StateOf(job), State::kQueued);
  EXPECT_EQ(Get(job).attempt, 2u);
  EXPECT_EQ(WhyNot(never), base::Reason::kFutureLost);
}

TEST_F(RestoreTest, AnIdOfAnEarlierRunHasExpiredOrIsLost) {  // semantics 100
  const FutureId gone = Kept(0, seconds(1), Text(""));
  Commit();
  Advance(seconds(1));
  Commit();
  FutureId lost = Promise(0);  // not committed
  Crash();
  EXPECT_EQ(WhyNot(gone), base::Reason::kFutureExpired);
  EXPECT_EQ(WhyNot(lost), base::Reason::kFutureLost);
  FutureId foreign = gone;
  foreign.ns_tag = kTag + 1;
  EXPECT_EQ(WhyNot(foreign), base::Reason::kFutureNotFound);
  FutureId coming = gone;
  coming.incarnation = incarnation + 1;
  EXPECT_EQ(WhyNot(coming), base::Reason::kFutureNotFound);
  const Submitted refused = Answer(1, Command(GatherSpec{{gone}, false}));
  EXPECT_EQ(WhyNot(refused.refusal), base::Reason::kFutureExpired) << "also when another shard asks";
}

}  // namespace
}  // namespace muster::core
