// Every limit that admission holds can be used up to its last unit, and one more is refused.
#include "service/runtime/admission/admission.h"

#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "service/base/reason.h"
#include "service/base/thread.h"
#include "service/runtime/admission/namespaces.h"

namespace muster::runtime {
namespace {

// Counts what is open, and what was refused.
struct CountingObserver final : Observer {
  void OnChanged(const core::Changed&, base::Instant) override {}
  void OnDropped(const core::Dropped&) override {}
  void OnGraceExpired(const core::GraceExpired&) override {}
  void OnWait(int open, int64_t members) override {
    waits += open;
    wait_members += open * members;
  }
  void OnStream(int open, int64_t members) override {
    streams += open;
    stream_members += open * members;
  }
  void OnRefused(base::Reason reason) override { refused.push_back(reason); }

  int64_t waits = 0, wait_members = 0, streams = 0, stream_members = 0;
  std::vector<base::Reason> refused;
};

class AdmissionTest : public testing::Test {
 protected:
  Admission& Make() {
    ns_ = *namespaces_.Open("");
    return admission_.emplace(limits_, blocking_queue_max_, 4, namespaces_, observer_);
  }
  core::Submit Job(values::FunctionKind kind = values::FunctionKind::kAsync) {
    values::JobSpec spec;
    spec.kind = kind;
    core::Submit command;
    command.ns = ns_.id;
    command.spec = std::move(spec);
    return command;
  }
  core::Submit Requested() {
    core::Submit command = Job();
    command.options = std::make_unique<values::Options>();
    command.options->request_id = "r";
    return command;
  }
  base::Reason WhyNot(const absl::Status& status) { return base::ReasonOf(status).value_or(base::Reason::kInternal); }
  base::Reason WhyNoJob(core::Submit command) { return WhyNot(admission_->Admit(command)); }
  bool Admits(core::Submit command) { return admission_->Admit(command).ok() && command.no_room.ok(); }
  static core::Changed Made(values::State to) {
    core::Changed change;
    change.created = true;
    change.to = to;
    return change;
  }
  static core::Changed Moved(values::State from, values::State to) {
    core::Changed change;
    change.from = from;
    change.to = to;
    return change;
  }

  values::Limits limits_;
  size_t blocking_queue_max_ = 2;
  Namespaces namespaces_{10};
  values::Namespace ns_;
  CountingObserver observer_;
  std::optional<Admission> admission_;
};

TEST_F(AdmissionTest, StreamsUpToTheLast) {
  limits_.streams_max = 2;
  Admission& admission = Make();
  std::optional<absl::StatusOr<StreamPermit>> first = admission.TryStream();
  ASSERT_TRUE(first->ok());
  {
    const absl::StatusOr<StreamPermit> last = admission.TryStream();
    ASSERT_TRUE(last.ok());
    const absl::Status refused = admission.TryStream().status();
    EXPECT_EQ(WhyNot(refused), base::Reason::kTooManyStreams);
    EXPECT_EQ(refused.message(), "2 streams are open already, which is the limit; close some and try again");
  }
  const absl::StatusOr<StreamPermit> again = admission.TryStream();
  EXPECT_TRUE(again.ok());
  EXPECT_FALSE(admission.TryStream().ok());
  first.reset();
  EXPECT_TRUE(admission.TryStream().ok());
  EXPECT_EQ(observer_.refused,
            (std::vector<base::Reason>{base::Reason::kTooManyStreams, base::Reason::kTooManyStreams}));
}

TEST_F(AdmissionTest, APermitThatIsMovedIsGivenBackOnce) {
  limits_.streams_max = 1;
  limits_.waiters_max = 1;
  Admission& admission = Make();
  {
    StreamPermit stream = *admission.TryStream();
    const StreamPermit moved = std::move(stream);
    EXPECT_FALSE(admission.TryStream().ok());
    WaitPermit wait = *admission.TryWaiter(3);
    WaitPermit elsewhere;
    elsewhere = std::move(wait);
    EXPECT_FALSE(admission.TryWaiter(3).ok());
    EXPECT_EQ(observer_.waits, 1);
  }
  EXPECT_TRUE(admission.TryStream().ok());
  EXPECT_TRUE(admission.TryWaiter(3).ok());
  EXPECT_EQ(observer_.waits, 0);
  EXPECT_EQ(observer_.wait_members, 0);
}

TEST_F(AdmissionTest, WaitersOfEachKindShareOneCounterUpToTheLast) {
  limits_.waiters_max = 3;
  Admission& admission = Make();
  const absl::StatusOr<WaitPermit> call = admission.TryCaller();
  const absl::StatusOr<WaitPermit> wait = admission.TryWaiter(2);
  std::optional<absl::StatusOr<WaitPermit>> gather = admission.TryGather(5);
  ASSERT_TRUE(call.ok() && wait.ok() && gather->ok());
  EXPECT_EQ(observer_.waits, 3);
  EXPECT_EQ(observer_.wait_members, 1 + 2 + 5);
  EXPECT_EQ(admission.TryCaller().status().message(),
            "3 calls wait already, and the limit is 3: retry later, or submit and wait for many at once");
  EXPECT_EQ(
      admission.TryWaiter(1).status().message(),
      "3 calls wait already for 7 futures; the limits are 3 and 10000000: retry later, or wait for fewer at once");
  EXPECT_EQ(admission.TryGather(1).status().message(),
            "3 waits are open already, over 7 futures; the limits are 3 and 10000000: close some, or take fewer at "
            "once");
  for (const base::Reason reason : observer_.refused) EXPECT_EQ(reason, base::Reason::kTooManyWaiters);
  gather.reset();
  EXPECT_TRUE(admission.TryCaller().ok());
}

TEST_F(AdmissionTest, MembersOfWaitsAndStreamsShareOneCounterUpToTheLast) {
  limits_.wait_members_max = 10;
  Admission& admission = Make();
  const absl::StatusOr<WaitPermit> wait = admission.TryWaiter(4);
  const absl::StatusOr<WaitPermit> stream = admission.TryStreamMembers(5);
  ASSERT_TRUE(wait.ok() && stream.ok());
  EXPECT_EQ(observer_.streams, 1);
  EXPECT_EQ(observer_.stream_members, 5);
  EXPECT_FALSE(admission.TryWaiter(2).ok());
  EXPECT_FALSE(admission.TryGather(2).ok());
  const absl::Status refused = admission.TryStreamMembers(2).status();
  EXPECT_EQ(WhyNot(refused), base::Reason::kTooManyWaiters);
  EXPECT_EQ(
      refused.message(),
      "0 streams are open already, over 9 futures; the limits are 2000 and 10: close some, or take fewer at once");
  EXPECT_TRUE(admission.TryWaiter(1).ok());
  EXPECT_TRUE(admission.TryGather(1).ok());
  EXPECT_TRUE(admission.TryStreamMembers(1).ok());
  EXPECT_TRUE(admission.TryStreamMembers(0).ok());
  const absl::StatusOr<WaitPermit> call = admission.TryCaller();  // counts no members
  EXPECT_TRUE(call.ok());
  EXPECT_TRUE(admission.TryWaiter(1).ok());
}

// A refused wait gives its place among the waiters back.
TEST_F(AdmissionTest, WhoIsRefusedTakesNothing) {
  limits_.waiters_max = 1;
  limits_.wait_members_max = 3;
  Admission& admission = Make();
  EXPECT_FALSE(admission.TryWaiter(4).ok());
  EXPECT_FALSE(admission.TryGather(4).ok());
  EXPECT_TRUE(admission.TryWaiter(3).ok());
  EXPECT_EQ(observer_.waits, 0);
}

TEST_F(AdmissionTest, PendingFuturesUpToTheLast) {
  limits_.pending_futures_max = 2;
  Admission& admission = Make();
  admission.OnChanged(Made(values::State::kRunning), false);
  EXPECT_TRUE(Admits(Job()));
  admission.OnChanged(Made(values::State::kPending), false);
  EXPECT_EQ(WhyNoJob(Job()), base::Reason::kTooManyFutures);
  core::Submit requested = Requested();  // may be a repetition: the shard knows
  EXPECT_TRUE(admission.Admit(requested).ok());
  EXPECT_EQ(WhyNot(requested.no_room), base::Reason::kTooManyFutures);
  admission.OnChanged(Moved(values::State::kPending, values::State::kSucceeded), false);
  EXPECT_TRUE(Admits(Job()));
  admission.OnChanged(Made(values::State::kSucceeded), false);  // made and done at once
  EXPECT_TRUE(Admits(Job()));
}

TEST_F(AdmissionTest, BlockingJobsThatWaitUpToTheLast) {
  Admission& admission = Make();
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Admits(Job(values::FunctionKind::kBlocking)));
    admission.OnChanged(Made(i == 0 ? values::State::kQueued : values::State::kDelayed), true);
  }
  EXPECT_EQ(WhyNoJob(Job(values::FunctionKind::kBlocking)), base::Reason::kQueueFull);
  EXPECT_TRUE(Admits(Job()));
  admission.OnChanged(Moved(values::State::kDelayed, values::State::kQueued), true);
  EXPECT_EQ(WhyNoJob(Job(values::FunctionKind::kBlocking)), base::Reason::kQueueFull);
  admission.OnChanged(Moved(values::State::kQueued, values::State::kRunning), true);
  EXPECT_TRUE(Admits(Job(values::FunctionKind::kBlocking)));
  admission.OnChanged(Moved(values::State::kRunning, values::State::kSucceeded), true);
  EXPECT_TRUE(Admits(Job(values::FunctionKind::kBlocking)));
}

TEST_F(AdmissionTest, BytesOfANamespaceUpToTheLast) {
  limits_.namespace_bytes_max = 100;
  Make();
  namespaces_.AddBytes(ns_.id, 99);
  EXPECT_TRUE(Admits(Job()));
  namespaces_.AddBytes(ns_.id, 1);
  EXPECT_EQ(WhyNoJob(Job()), base::Reason::kTooManyBytes);
}

TEST_F(AdmissionTest, RequestIdsOfAllShardsUpToTheLast) {
  limits_.request_ids_max = 5;
  Admission& admission = Make();
  admission.RequestIdsOf(0) = 2;
  admission.RequestIdsOf(3) = 2;
  EXPECT_TRUE(Admits(Requested()));
  admission.RequestIdsOf(3) = 3;
  core::Submit requested = Requested();
  EXPECT_TRUE(admission.Admit(requested).ok());
  EXPECT_EQ(WhyNot(requested.no_room), base::Reason::kTooManyRequestIds);
  EXPECT_TRUE(Admits(Job()));
}

TEST_F(AdmissionTest, NothingNewWhileTheServiceEndsOrItsStoreIsFullOrFailed) {
  Admission& admission = Make();
  admission.SetStoreFull(true);
  EXPECT_EQ(WhyNoJob(Job()), base::Reason::kStoreFull);
  admission.SetStoreFull(false);
  EXPECT_TRUE(Admits(Job()));
  admission.SetStoreFailed();
  EXPECT_EQ(WhyNoJob(Job()), base::Reason::kStoreFailed);
  admission.BeginDrain();
  EXPECT_EQ(WhyNoJob(Job()), base::Reason::kDraining);
}

// However many try at once, as many as there are places have one: no fewer, and no more.
TEST_F(AdmissionTest, ThreadsThatCompeteUseAllPlacesAndNoneTwice) {
  Quota quota(3);
  std::atomic<int> taken{0};
  std::atomic<int> too_many{0};
  std::vector<base::Thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back("taker", [&] {
      for (int round = 0; round < 10'000; ++round) {
        const int64_t amount = 1 + round % 5;  // more than there is at times
        if (!quota.TryTake(amount)) continue;
        taken += static_cast<int>(amount);
        if (quota.used() > quota.max()) ++too_many;
        quota.Return(amount);
      }
    });
  }
  for (base::Thread& thread : threads) thread.Join();
  EXPECT_GT(taken.load(), 0);
  EXPECT_EQ(too_many.load(), 0);
  EXPECT_EQ(quota.used(), 0);
  EXPECT_TRUE(quota.TryTake(3));
}

}  // namespace
}  // namespace muster::runtime
