// A crash at any moment, and the server that takes up what is left.
#include <algorithm>
#include <map>

#include "tests/unit/runtime/durable_fixture.h"

namespace muster::runtime {
namespace {

using base::Reason;
using values::State;

bool SameOutcome(const values::Outcome& a, const values::Outcome& b) {
  if (a.kind != b.kind || a.gathered.size() != b.gathered.size()) return false;
  if (a.value.body() != b.value.body() || (a.error == nullptr) != (b.error == nullptr)) return false;
  if (a.error != nullptr && (a.error->kind != b.error->kind || a.error->message != b.error->message)) return false;
  for (size_t i = 0; i < a.gathered.size(); ++i) {
    if (!SameOutcome(*a.gathered[i], *b.gathered[i])) return false;
  }
  return true;
}

class RecoveryTest : public DurableFixture {
 protected:
  // What somebody was told of a future, and must find true for ever after (semantics 101, 102).
  struct Told {
    values::FutureId id;
    State state = State::kPending;  // or later
    values::OutcomeRef outcome;     // null: it was not done
    values::NamespaceId ns = 0;
    std::string name;
    std::string group;
    std::string request_id;
    bool deleted = false;
    bool at_most_once = false;
    std::string resume_token;             // of a stream over `set`
    std::vector<values::FutureId> set;    // all of which were known
    std::vector<values::FutureId> taken;  // by that stream so far
  };
  struct Snapshot {
    std::shared_ptr<store::MemoryStore> disk;
    size_t told = 0;                               // how much had been told before more was durable than this
    std::map<std::string, std::vector<Run>> runs;  // of bodies, by then
  };

  void RecordEverything() {
    {
      base::MutexLock lock(told_mutex_);
      snapshots_.push_back({test::CopyOf(*disk_), 0, {}});
    }
    const auto before = [this] {
      base::MutexLock lock(told_mutex_);
      snapshots_.back().told = told_.size();
      snapshots_.back().runs = CopyRuns();
    };
    const auto after = [this] {
      auto copy = test::CopyOf(*disk_);
      base::MutexLock lock(told_mutex_);
      snapshots_.push_back({std::move(copy), told_.size(), {}});
    };
    gated_->OnAppend(before, after);
  }
  void StopRecording() {
    {
      // While appends are still recorded: so nothing was told, and no body ran, on the strength of rows that are not in
      // the last snapshot.
      base::MutexLock lock(told_mutex_);
      snapshots_.back().told = told_.size();
      snapshots_.back().runs = CopyRuns();
    }
    gated_->OnAppend(nullptr, nullptr);
  }
  // Another server on a copy of what `at` has. The present one goes on until it has ended, and makes durable, and then
  // runs, what the copy knows nothing of: that is another history, and its runs are none of this one's.
  void BranchFrom(const Snapshot& at, int loops) {
    const auto disk = test::CopyOf(*at.disk);
    EndBranch();
    TakeRuns();
    earlier_ = at.runs;
    StartFrom(disk, loops);
  }
  // Ends the present history, all of whose bodies have run then, those too that stood on the pool until now.
  void EndBranch() {
    End();
    base::MutexLock lock(told_mutex_);
    for (const Told& told : told_) {
      if (!told.at_most_once) continue;
      EXPECT_LE(earlier_[told.id.ToText()].size() + RunsOf(told.id).size(), 1u);
    }
  }
  // What a crash of the present server would leave now. The runs are taken first: a body that runs in between is not
  // counted, and one that has run was recorded in time to be on the disk.
  Snapshot SnapshotNow(const Snapshot& began) {
    Snapshot now;
    now.told = began.told;
    now.runs = began.runs;
    for (auto& [id, runs] : CopyRuns()) now.runs[id].insert(now.runs[id].end(), runs.begin(), runs.end());
    now.disk = test::CopyOf(*disk_);
    return now;
  }
  void Say(Told told) {
    if (told.ns == 0) told.ns = ns_.id;
    base::MutexLock lock(told_mutex_);
    told_.push_back(std::move(told));
  }
  values::FutureId Tell(core::Submit command, int loop = 0) {
    Told told;
    told.ns = command.ns;
    if (command.options != nullptr) {
      told.name = command.options->name;
      told.group = command.options->group;
      told.request_id = command.options->request_id;
      told.at_most_once = command.options->execution == values::Execution::kAtMostOnce;
    }
    const values::FutureId id = SubmitOk(std::move(command), loop);
    told.id = id;
    Say(told);
    return id;
  }
  void TellEnd(values::FutureId id, int loop = 0) {
    const auto answer = AskWait({id}, loop)->Take();
    ASSERT_TRUE(answer.ok()) << answer.status();
    Told told;
    told.id = id;
    told.state = answer->done.front().state;
    told.outcome = answer->done.front().outcome;
    Say(told);
  }
  core::Submit Named(core::Submit command, const std::string& name, const std::string& group = "") {
    if (command.options == nullptr) command.options = std::make_unique<values::Options>();
    command.options->name = name;
    command.options->group = group;
    command.options->labels["of"] = name;
    return command;
  }

  void RunScript();
  void RunCombinators(const std::vector<values::FutureId>& settled, values::FutureId open);
  void TellStream(std::vector<values::FutureId> set);
  void CheckAll(const std::vector<Told>& all, const Snapshot& at);
  void CheckFuture(const Told& told, bool may_be_gone);
  void CheckStream(const Told& told);

  base::Mutex told_mutex_;
  std::vector<Told> told_ MUSTER_GUARDED_BY(told_mutex_);
  std::vector<Snapshot> snapshots_ MUSTER_GUARDED_BY(told_mutex_);
  std::map<std::string, std::vector<Run>> earlier_;  // of bodies, before the present server began
};
INSTANTIATE_TEST_SUITE_P(Loops, RecoveryTest, JournaledSettings(), NameOfSetting);

void RecoveryTest::RunScript() {
  const values::FutureId done = Tell(Named(Requested(Job("echo", "done"), "r-done"), "the done one", "g"));
  TellEnd(done, 1);
  const values::FutureId failed = Tell(Job("fail", "no"), 1);
  TellEnd(failed);
  Tell(Named(Job("rest", "later"), "rests", "g"), 2);
  Tell(Once(Requested(Job("rest"), "r-once")));
  Tell(Job("stand", "blocking"));
  WaitForRuns(3);
  Tell(Once(Job("stand")), 1);
  WaitForRuns(4);
  core::Submit delayed = Job("echo", "delayed");
  delayed.options = std::make_unique<values::Options>();
  delayed.options->delay = seconds(1000);
  Tell(std::move(delayed));
  std::vector<values::FutureId> promises;
  for (int i = 0; i < 4; ++i) {
    promises.push_back(Tell(Requested(Spec(values::PromiseSpec{}), "r-promise-" + std::to_string(i))));
  }
  for (size_t i = 0; i < 3; ++i) {
    Settle(promises[i], "settled " + std::to_string(i));
    TellEnd(promises[i]);
  }
  TellStream({promises[0], promises[1], promises[3], done});
  RunCombinators({promises[0], promises[1]}, promises[3]);
  const values::FutureId cancelled = Tell(Job("rest"), 2);
  CancelOne(cancelled, "enough");
  TellEnd(cancelled);
  const values::FutureId asked = Tell(Requested(Job("rest"), "r-asked"));
  CancelOne(asked, "enough");
  const values::Namespace other = *service_->OpenNamespace("other");
  core::Submit elsewhere = Job("echo", "elsewhere");
  elsewhere.ns = other.id;
  elsewhere.ns_tag = other.tag;
  Tell(std::move(elsewhere));
  ASSERT_TRUE(On(1, service_->Delete(ns_.id, SetOf({failed}))).ok());
  Told deleted;
  deleted.id = failed;
  deleted.deleted = true;
  Say(deleted);
  Tell(Job("echo", "after all"), 2);
}

void RecoveryTest::RunCombinators(const std::vector<values::FutureId>& settled, values::FutureId open) {
  values::GatherSpec gather;
  gather.members = settled;
  TellEnd(Tell(Requested(Spec(gather), "r-gather")));
  gather.members.push_back(open);
  Tell(Requested(Spec(gather), "r-open-gather"));
  values::ShieldSpec shield;
  shield.inner = open;
  Tell(Requested(Spec(shield), "r-shield"));
  values::WaitForSpec wait_for;
  wait_for.inner = open;
  wait_for.timeout = seconds(5000);
  Tell(Requested(Spec(wait_for), "r-wait-for"));
}

coro::Task<absl::StatusOr<CompletionStream::Batch>> TakeSome(Service& service, values::NamespaceId ns,
                                                             core::FutureSet set, std::string resume, size_t max) {
  StreamOptions options;
  options.bounded = true;  // with what there is
  options.resume_token = std::move(resume);
  auto stream = co_await service.AsCompleted(ns, std::move(set), std::move(options));
  if (!stream.ok()) co_return stream.status();
  coro::CancelToken token;
  CompletionStream::Batch all;
  while (!all.ended && all.completions.size() < max) {
    const size_t room = max - all.completions.size();
    absl::StatusOr<CompletionStream::Batch> batch = co_await (*stream)->Next(room, token);
    if (!batch.ok()) co_return batch.status();
    for (core::Completion& each : batch->completions) all.completions.push_back(std::move(each));
    all.ended = batch->ended;
    all.resume_token = batch->resume_token;
  }
  co_return all;
}

void RecoveryTest::TellStream(std::vector<values::FutureId> set) {
  for (size_t max = 1; max < 3; ++max) {
    auto batch = On(0, TakeSome(*service_, ns_.id, SetOf(set), "", max));
    ASSERT_TRUE(batch.ok()) << batch.status();
    Told told;
    told.resume_token = batch->resume_token;
    told.set = set;
    for (const core::Completion& each : batch->completions) told.taken.push_back(each.id);
    ASSERT_EQ(told.taken.size(), max);
    Say(told);
  }
}

void RecoveryTest::CheckStream(const Told& told) {
  auto batch = On(0, TakeSome(*service_, ns_.id, SetOf(told.set), told.resume_token, 100));
  ASSERT_TRUE(batch.ok()) << batch.status();
  std::map<values::FutureId, int> seen;
  for (const values::FutureId& id : told.taken) ++seen[id];
  for (const core::Completion& each : batch->completions) ++seen[each.id];
  for (const values::FutureId& id : told.set) {
    EXPECT_EQ(seen[id], View(id).outcome != nullptr ? 1 : 0) << id.ToText();  // nothing lost, nothing twice
  }
}

void RecoveryTest::CheckFuture(const Told& told, bool may_be_gone) {
  const auto view = On(1, service_->Get(told.ns, told.id, true));
  if (told.deleted) {
    EXPECT_EQ(ReasonFor(view.status()), Reason::kFutureExpired);
    return;
  }
  if (!view.ok()) {
    EXPECT_TRUE(may_be_gone) << view.status();
    return;
  }
  EXPECT_GE(view->state, told.state);
  if (told.outcome != nullptr) {
    EXPECT_EQ(view->state, told.state);
    EXPECT_TRUE(view->outcome != nullptr && SameOutcome(*view->outcome, *told.outcome));
  }
  if (!told.name.empty()) {
    EXPECT_EQ(view->name, told.name);
    EXPECT_EQ(view->options->labels.at("of"), told.name);
  }
  if (!told.group.empty()) {
    const auto members = AskGroup(told.group, 1)->Take();
    ASSERT_TRUE(members.ok());
    EXPECT_NE(std::find(members->begin(), members->end(), told.id), members->end());
  }
  if (!told.request_id.empty()) {  // whatever it asks for: the same hash
    const auto again = TrySubmit(Requested(Job("echo"), told.request_id), 2);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->id, told.id);
    EXPECT_TRUE(again->deduplicated);
  }
}

void RecoveryTest::CheckAll(const std::vector<Told>& all, const Snapshot& at) {
  for (size_t i = 0; i < at.told; ++i) {
    if (!all[i].set.empty()) {
      CheckStream(all[i]);
      continue;
    }
    bool deleted = false;
    for (size_t later = i + 1; later < all.size(); ++later) {
      deleted = deleted || (all[later].deleted && all[later].id == all[i].id);
    }
    CheckFuture(all[i], deleted);
    if (deleted || !all[i].at_most_once) continue;
    // Its start was recorded, or it had not begun.
    const core::FutureView view = View(all[i].id);
    const auto before = at.runs.find(all[i].id.ToText());
    const size_t earlier = before == at.runs.end() ? 0 : before->second.size();
    if (view.state == State::kFailed) {
      EXPECT_EQ(view.outcome->error->kind, values::ErrorKind::kInterrupted);
    }
    EXPECT_LE(earlier + RunsOf(all[i].id).size(), 1u);
  }
}

// semantics 101, 102, 103
TEST_P(RecoveryTest, WhateverWasToldHoldsAfterACrashAtAnyPoint) {
  RecordEverything();
  RunScript();
  LoopsQuiet();
  StopRecording();
  std::vector<Told> told;
  std::vector<Snapshot> snapshots;
  {
    base::MutexLock lock(told_mutex_);
    told = told_;
    snapshots = snapshots_;
  }
  ASSERT_GT(snapshots.size(), 15u);
  for (size_t i = 0; i < snapshots.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "after append " << i << ", " << snapshots[i].told << " things told");
    BranchFrom(snapshots[i], i % 2 == 0 ? 2 : GetParam().loops);
    LoopsQuiet();
    CheckAll(told, snapshots[i]);
    LoopsQuiet();
    On(0, service_->CheckInvariants());
    // And once more: a restart of what a restart has made of it.
    if (i % 5 != 0) continue;
    const Snapshot again = SnapshotNow(snapshots[i]);
    BranchFrom(again, 3);
    LoopsQuiet();
    CheckAll(told, again);
    On(0, service_->CheckInvariants());
  }
  EndBranch();
}

// semantics 103
TEST_P(RecoveryTest, WhatRanRunsAgainUnderALaterEpochUnlessItMustNot) {
  const values::FutureId async = SubmitOk(Job("rest"));
  const values::FutureId blocking = SubmitOk(Job("stand", "b"));
  const values::FutureId once = SubmitOk(Once(Job("rest")));
  const values::FutureId blocking_once = SubmitOk(Once(Job("stand")));
  WaitForRuns(4);
  while (View(blocking_once).state != State::kRunning || View(blocking).state != State::kRunning) {
  }
  core::Submit delayed = Job("run", "late");
  delayed.options = std::make_unique<values::Options>();
  delayed.options->delay = seconds(10);
  const values::FutureId waits = SubmitOk(std::move(delayed));
  StartAgainFrom(test::CopyOf(*disk_));
  EXPECT_EQ(recovered_.futures, 5u);
  WaitForRuns(6);
  LoopsQuiet();
  for (const values::FutureId& id : {once, blocking_once}) {
    EXPECT_EQ(View(id).state, State::kFailed);
    EXPECT_EQ(View(id).outcome->error->kind, values::ErrorKind::kInterrupted);
    EXPECT_EQ(RunsOf(id).size(), 1u);
  }
  for (const values::FutureId& id : {async, blocking}) {
    const std::vector<Run> runs = RunsOf(id);
    ASSERT_EQ(runs.size(), 2u);
    EXPECT_EQ(runs[0].attempt, 1u);
    EXPECT_EQ(runs[1].attempt, 2u);
    EXPECT_LT(runs[0].epoch, runs[1].epoch);
  }
  EXPECT_EQ(View(waits).state, State::kDelayed);
  gate_->Open();
  Advance(seconds(11));
  EXPECT_EQ(View(waits).outcome->value.body(), "late");
  EXPECT_EQ(View(blocking).outcome->value.body(), "b");
}

TEST_P(RecoveryTest, IdsTellWhatExpiredFromWhatWasLost) {
  const values::FutureId deleted = SubmitOk(Job("echo"));
  ASSERT_TRUE(On(0, service_->Delete(ns_.id, SetOf({deleted}))).ok());
  const auto before = test::CopyOf(*disk_);
  const values::FutureId lost = SubmitOk(Spec(values::PromiseSpec{}));
  StartAgainFrom(before);
  EXPECT_EQ(ReasonFor(AskGet(deleted)->Take().status()), Reason::kFutureExpired);
  EXPECT_EQ(ReasonFor(AskGet(lost)->Take().status()), Reason::kFutureLost);
  const values::FutureId next = SubmitOk(Spec(values::PromiseSpec{}));
  EXPECT_NE(next, lost);
}

TEST_P(RecoveryTest, AFollowingGatherSettlesAfterARestart) {
  std::vector<values::FutureId> promises;
  for (int i = 0; i < 5; ++i) promises.push_back(SubmitElsewhere(Spec(values::PromiseSpec{}), i));
  values::GatherSpec gather;
  gather.members = promises;
  const values::FutureId all = SubmitOk(Spec(gather));
  Settle(promises[0], "0");
  StartAgainFrom(test::CopyOf(*disk_), 2);
  for (size_t i = 1; i < promises.size(); ++i) Settle(promises[i], std::to_string(i));
  Quiet();
  ASSERT_EQ(View(all).state, State::kSucceeded);
  EXPECT_EQ(View(all).outcome->gathered[0]->value.body(), "0");
  EXPECT_EQ(View(all).outcome->gathered[4]->value.body(), "4");
}

TEST_P(RecoveryTest, AGracefulEndLosesNothing) {
  std::vector<values::FutureId> ids;
  for (int i = 0; i < 30; ++i) ids.push_back(SubmitOk(Job("echo", std::to_string(i)), i));
  const values::FutureId rests = SubmitOk(Job("rest"));
  const values::FutureId awaits = SubmitElsewhere(Job("await", rests.ToText()), 1);
  Quiet();
  StartAgain();
  Quiet();
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(View(ids[i]).outcome->value.body(), std::to_string(i));
  // Their bodies were ended by the end of the server, which is no end of theirs.
  EXPECT_EQ(View(rests).state, State::kRunning);
  EXPECT_EQ(RunsOf(rests).size(), 2u);
  EXPECT_EQ(View(awaits).state, State::kRunning);
}

// What had been decided when the journal was closed is written, though nobody had been told yet.
TEST_P(RecoveryTest, StoppingTheJournalWaitsForWhatIsUnderWay) {
  gated_->Close();
  auto first = AskSubmit(Requested(Spec(values::PromiseSpec{}), "first"));
  gated_->WaitForArrivals(1);
  auto second = AskSubmit(Requested(Spec(values::PromiseSpec{}), "second"), 1);
  LoopsQuiet();
  base::Thread stopper("stopper", [this] { service_->StopJournal(); });
  gated_->Open();
  stopper.Join();
  const values::FutureId first_id = first->Take()->id;
  const values::FutureId second_id = second->Take()->id;
  EXPECT_EQ(ReasonFor(TrySubmit(Spec(values::PromiseSpec{})).status()), Reason::kDraining);
  StartAgainFrom(test::CopyOf(*disk_));
  EXPECT_EQ(View(first_id).state, State::kPending);
  EXPECT_EQ(View(second_id).state, State::kPending);
}

// Nothing may be shown that is not recorded: what happens after the journal was closed does not happen.
TEST_P(RecoveryTest, NothingChangesOnceTheJournalIsStopped) {
  const values::FutureId promise = SubmitOk(Spec(values::PromiseSpec{}));
  const values::FutureId sleeper = SubmitOk(Job("sleep", "1"));
  Quiet();
  service_->StopJournal();
  Advance(seconds(2));
  EXPECT_EQ(View(sleeper).state, State::kRunning);
  EXPECT_EQ(ReasonFor(AskSettle(promise, "x")->Take().status()), Reason::kDraining);
  EXPECT_EQ(View(promise).state, State::kPending);
}

}  // namespace
}  // namespace muster::runtime
