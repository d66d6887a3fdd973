// The disk fails: nobody is told what is not so, everybody is told something, and what was acknowledged is there again.
#include <map>

#include "tests/unit/runtime/durable_fixture.h"

namespace muster::runtime {
namespace {

using base::Reason;
using values::State;

class FailureObserver final : public Observer {
 public:
  void OnChanged(const core::Changed&, base::Instant) override {}
  void OnDropped(const core::Dropped&) override {}
  void OnGraceExpired(const core::GraceExpired&) override {}
  void OnWait(int open, int64_t) override { waits += open; }
  void OnStream(int open, int64_t) override { streams += open; }
  void OnRefused(Reason) override {}
  void OnStoreFailed(const absl::Status&) override { ++failures; }
  std::atomic<int> failures{0};
  std::atomic<int> waits{0};
  std::atomic<int> streams{0};
};

class JournalFailureTest : public DurableFixture {
 protected:
  Observer& ObserverOf() override { return failing_; }
  // Somebody's change meets the failed disk, and every loop has heard of it.
  void Fail() {
    gated_->FailAfter(0);
    EXPECT_EQ(ReasonFor(TrySubmit(Spec(values::PromiseSpec{})).status()), Reason::kStoreFailed);
    Quiet();
  }
  FailureObserver failing_;
};
INSTANTIATE_TEST_SUITE_P(Loops, JournalFailureTest, JournaledSettings(), NameOfSetting);

TEST_P(JournalFailureTest, WhoeverWaitsOnAnyLoopIsTold) {
  std::vector<values::FutureId> promises;
  for (int i = 0; i < 8; ++i) promises.push_back(SubmitElsewhere(Spec(values::PromiseSpec{}), i));
  const values::FutureId body = SubmitElsewhere(Job("await", promises[0].ToText()), 100);
  values::GatherSpec spec;
  spec.members = promises;
  const values::FutureId gather = SubmitOk(Spec(std::move(spec)));
  const values::FutureId resting = SubmitOk(Job("rest"));
  std::vector<std::unique_ptr<Asked<absl::StatusOr<WaitAnswer>>>> waits;
  std::vector<std::unique_ptr<Asked<absl::StatusOr<core::Completion>>>> calls;
  std::vector<std::unique_ptr<Asked<absl::StatusOr<CompletionStream::Batch>>>> streams;
  for (int loop = 0; loop < 3; ++loop) {
    waits.push_back(AskWait(promises, loop));
    waits.push_back(AskWait({gather}, loop));
    calls.push_back(AskCall(Job("rest"), loop));
    streams.push_back(AskNext(promises, loop));
  }
  Quiet();
  ASSERT_FALSE(waits[0]->answered());
  Fail();
  for (auto& wait : waits) EXPECT_EQ(ReasonFor(wait->Take().status()), Reason::kStoreFailed);
  for (auto& call : calls) EXPECT_EQ(ReasonFor(call->Take().status()), Reason::kStoreFailed);
  for (auto& stream : streams) EXPECT_EQ(ReasonFor(stream->Take().status()), Reason::kStoreFailed);
  EXPECT_EQ(service_->RunningJobs(), 0u);  // bodies have been told, the one that awaited too
  EXPECT_TRUE(service_->store_failed());
  EXPECT_EQ(failing_.failures.load(), 1);
  EXPECT_EQ(failing_.waits.load(), 0);
  EXPECT_EQ(failing_.streams.load(), 0);
  // No outcome has changed: the bodies that were ended by this have not ended.
  EXPECT_EQ(View(resting).state, State::kRunning);
  EXPECT_EQ(View(body).state, State::kRunning);
  EXPECT_EQ(View(gather).state, State::kPending);
}

TEST_P(JournalFailureTest, WhatIsAskedAfterwardsIsRefusedAndWhatIsDurableIsRead) {
  const values::FutureId done = SubmitOk(Job("echo", "x"));
  const values::FutureId open = SubmitElsewhere(Spec(values::PromiseSpec{}), 3);
  Quiet();
  Fail();
  for (int loop = 0; loop < 3; ++loop) {
    EXPECT_EQ(ReasonFor(TrySubmit(Job("echo"), loop).status()), Reason::kStoreFailed);
    EXPECT_EQ(ReasonFor(TrySubmit(Requested(Job("echo"), "new"), loop).status()), Reason::kStoreFailed);
    EXPECT_EQ(ReasonFor(AskCall(Job("echo"), loop)->Take().status()), Reason::kStoreFailed);
    EXPECT_EQ(View(done, loop).outcome->value.body(), "x");
    EXPECT_EQ(AskWait({done}, loop)->Take()->done.size(), 1u);
    EXPECT_EQ(ReasonFor(AskWait({done, open}, loop)->Take().status()), Reason::kStoreFailed);
    EXPECT_EQ(ReasonFor(AskNext({open}, loop)->Take().status()), Reason::kStoreFailed);
    EXPECT_EQ(ReasonFor(AskSettle(open, "x", loop)->Take().status()), Reason::kStoreFailed);
    EXPECT_EQ(ReasonFor(AskCancel(open, loop)->Take().status()), Reason::kStoreFailed);
    const auto deleted = On(loop, service_->Delete(ns_.id, SetOf({done})));
    ASSERT_TRUE(deleted.ok());
    EXPECT_EQ(ReasonFor(deleted->front().second), Reason::kStoreFailed);
  }
  EXPECT_EQ(View(open).state, State::kPending);
}

coro::Task<bool> Close(std::unique_ptr<CompletionStream> stream) {
  stream.reset();
  co_return true;
}

// The reader has taken the last completion off the stream when it turns out that it will never be durable.
TEST_P(JournalFailureTest, AStreamWhoseLastCompletionIsLostDoesNotEnd) {
  const values::FutureId first = SubmitOk(Spec(values::PromiseSpec{}));
  const values::FutureId last = SubmitOk(Spec(values::PromiseSpec{}));
  Settle(first, "x");
  Quiet();
  auto stream = On(0, service_->AsCompleted(ns_.id, SetOf({first, last}), StreamOptions{}));
  ASSERT_TRUE(stream.ok());
  coro::CancelToken token;
  const auto taken = On(0, (*stream)->Next(1, token));
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->completions.size(), 1u);
  gated_->FailAfter(0);
  gated_->Close();
  auto settle = AskSettle(last, "lost");
  gated_->WaitForArrivals(1);
  auto next = Ask(0, (*stream)->Next(1, token));
  LoopsQuiet();
  EXPECT_FALSE(next->answered());
  gated_->Open();
  EXPECT_EQ(ReasonFor(next->Take().status()), Reason::kStoreFailed);
  EXPECT_EQ(ReasonFor(settle->Take().status()), Reason::kStoreFailed);
  EXPECT_TRUE(On(0, Close(*std::move(stream))));
}

// The same where all that it took is durable, but the look rests on something else that is not.
TEST_P(JournalFailureTest, AStreamDoesNotGoOnBehindWhatItsReaderWasNotGiven) {
  std::vector<values::FutureId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(SubmitOk(Spec(values::PromiseSpec{})));
  for (const values::FutureId& id : ids) Settle(id, "x");
  Quiet();
  auto stream = On(0, service_->AsCompleted(ns_.id, SetOf(ids), StreamOptions{}));
  ASSERT_TRUE(stream.ok());
  Quiet();
  gated_->FailAfter(0);
  gated_->Close();
  auto other = AskSubmit(Spec(values::PromiseSpec{}));
  gated_->WaitForArrivals(1);
  coro::CancelToken token;
  auto next = Ask(0, (*stream)->Next(2, token));
  LoopsQuiet();
  EXPECT_FALSE(next->answered());
  gated_->Open();
  EXPECT_EQ(ReasonFor(next->Take().status()), Reason::kStoreFailed);
  EXPECT_EQ(ReasonFor(other->Take().status()), Reason::kStoreFailed);
  EXPECT_TRUE(On(0, Close(*std::move(stream))));
}

TEST_P(JournalFailureTest, WhatIsNotDurableIsNotShown) {
  const values::FutureId promise = SubmitOk(Spec(values::PromiseSpec{}));
  core::Submit grouped = Job("echo");
  grouped.options = std::make_unique<values::Options>();
  grouped.options->group = "g";
  SubmitOk(std::move(grouped));
  Quiet();
  EXPECT_TRUE(AskList()->Take().ok());
  gated_->FailAfter(0);
  gated_->Close();
  auto settle = AskSettle(promise, "lost");
  gated_->WaitForArrivals(1);
  auto get = AskGet(promise);
  auto get_elsewhere = AskGet(promise, 1);
  auto wait = AskWait({promise}, 2);
  auto list = AskList(1);
  auto group = AskGroup("g");
  auto next = AskNext({promise}, 1);
  LoopsQuiet();
  gated_->Open();
  EXPECT_EQ(ReasonFor(settle->Take().status()), Reason::kStoreFailed);
  EXPECT_EQ(ReasonFor(get->Take().status()), Reason::kStoreFailed);
  EXPECT_EQ(ReasonFor(get_elsewhere->Take().status()), Reason::kStoreFailed);
  EXPECT_EQ(ReasonFor(wait->Take().status()), Reason::kStoreFailed);
  EXPECT_EQ(ReasonFor(list->Take().status()), Reason::kStoreFailed);
  EXPECT_EQ(ReasonFor(group->Take().status()), Reason::kStoreFailed);
  EXPECT_EQ(ReasonFor(next->Take().status()), Reason::kStoreFailed);
  Quiet();
  EXPECT_EQ(ReasonFor(AskGet(promise)->Take().status()), Reason::kStoreFailed);
  EXPECT_EQ(ReasonFor(AskList(1)->Take().status()), Reason::kStoreFailed);
}

// Its answer would come when the shards of its members have answered, and what they say is lost.
TEST_P(JournalFailureTest, ASubmitThatOtherShardsHaveToAnswerIsTold) {
  std::vector<values::FutureId> members;
  for (int i = 0; i < 8; ++i) members.push_back(SubmitElsewhere(Spec(values::PromiseSpec{}), i));
  Quiet();
  gated_->FailAfter(0);
  gated_->Close();
  // Every loop has something under way, so whatever one of them says to another is held.
  std::vector<std::unique_ptr<Asked<absl::StatusOr<values::State>>>> settles;
  for (const values::FutureId& member : members) settles.push_back(AskSettle(member, "x"));
  gated_->WaitForArrivals(1);
  LoopsQuiet();
  std::vector<std::unique_ptr<Asked<absl::StatusOr<SubmitAnswer>>>> submits;
  for (int loop = 0; loop < 3; ++loop) {
    values::GatherSpec gather;
    gather.members = members;
    submits.push_back(AskSubmit(Spec(std::move(gather)), loop));
    values::ShieldSpec shield;
    shield.inner = members[static_cast<size_t>(loop)];
    submits.push_back(AskSubmit(Requested(Spec(shield), "shield-" + std::to_string(loop)), loop));
  }
  LoopsQuiet();
  gated_->Open();
  for (auto& settle : settles) EXPECT_EQ(ReasonFor(settle->Take().status()), Reason::kStoreFailed);
  for (auto& submit : submits) EXPECT_EQ(ReasonFor(submit->Take().status()), Reason::kStoreFailed);
}

// At whichever append the disk fails: everybody hears something, and what was acknowledged comes back.
TEST_P(JournalFailureTest, WhateverWasAcknowledgedIsThereAfterwards) {
  for (int good = 0; good < 12; ++good) {
    SCOPED_TRACE(good);
    gated_->FailAfter(good);
    std::map<values::FutureId, std::string> settled;
    std::vector<values::FutureId> submitted;
    std::vector<values::FutureId> done;
    for (int i = 0; i < 4; ++i) {
      auto promise =
          TrySubmit(Requested(Spec(values::PromiseSpec{}), std::to_string(good) + "p" + std::to_string(i)), i);
      auto job = TrySubmit(Job("echo", "j"), i);
      if (job.ok()) submitted.push_back(job->id);
      if (!promise.ok()) continue;
      submitted.push_back(promise->id);
      if (AskSettle(promise->id, "v", i)->Take().ok()) settled[promise->id] = "v";
      if (job.ok() && AskWait({job->id}, i)->Take().ok()) done.push_back(job->id);
    }
    StartAgainFrom(test::CopyOf(*disk_));
    Quiet();
    for (const values::FutureId& id : submitted) EXPECT_NE(View(id).state, State::kExpired);
    for (const auto& [id, value] : settled) EXPECT_EQ(View(id).outcome->value.body(), value);
    for (const values::FutureId& id : done) EXPECT_EQ(View(id).outcome->value.body(), "j");
  }
}

TEST_P(JournalFailureTest, TheServerStopsWithAFailedDisk) {
  SubmitOk(Job("rest"));
  Fail();
  StartAgainFrom(test::CopyOf(*disk_));
  EXPECT_FALSE(service_->store_failed());
}

TEST_P(JournalFailureTest, AFullStoreRefusesWhatIsNewAndAnswersRepetitions) {
  const values::FutureId known = SubmitOk(Requested(Job("echo"), "known"));
  service_->SetStoreFull(true);
  EXPECT_EQ(ReasonFor(TrySubmit(Job("echo")).status()), Reason::kStoreFull);
  EXPECT_EQ(ReasonFor(TrySubmit(Requested(Job("echo"), "new")).status()), Reason::kStoreFull);
  EXPECT_EQ(ReasonFor(AskCall(Job("echo"))->Take().status()), Reason::kStoreFull);
  const auto again = TrySubmit(Requested(Job("echo"), "known"));  // semantics 102
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->id, known);
  service_->SetStoreFull(false);
  EXPECT_TRUE(TrySubmit(Job("echo")).ok());
}

}  // namespace
}  // namespace muster::runtime
