#include "tests/unit/runtime/service_fixture.h"

namespace muster::runtime {
namespace {

using testing::ElementsAre;
using testing::SizeIs;
using values::ReturnWhen;
using values::State;

class ServiceWaitTest : public ServiceFixture {
 protected:
  // Promises on as many shards as their number gives.
  std::vector<values::FutureId> Promises(int count) {
    std::vector<values::FutureId> ids;
    for (int i = 0; i < count; ++i) ids.push_back(SubmitElsewhere(Spec(values::PromiseSpec{}), i));
    return ids;
  }
  void ExpectNothingLeftBehind() {
    const core::ShardStats stats = Stats().shards;
    EXPECT_EQ(stats.waits, 0u);
    EXPECT_EQ(stats.streams, 0u);
    EXPECT_EQ(stats.links, 0u);
    EXPECT_EQ(stats.pins, 0u);
  }
};
INSTANTIATE_TEST_SUITE_P(Loops, ServiceWaitTest, EverySetting(), NameOfSetting);

// semantics 27, 28
TEST_P(ServiceWaitTest, APollOverManyShardsTellsDoneFromPending) {
  const auto ids = Promises(12);
  Settle(ids[4], "x");
  Settle(ids[9], "x");
  auto answer = Wait(ids, ReturnWhen::kAllCompleted, base::Duration(0));
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_TRUE(answer->timed_out);
  EXPECT_THAT(answer->done, SizeIs(2));
  EXPECT_THAT(answer->pending, SizeIs(10));
  ExpectNothingLeftBehind();
}

// semantics 29, 36
TEST_P(ServiceWaitTest, TheFirstOfManyShardsEndsTheWaitAndTheOthersAreLeftAlone) {
  const auto ids = Promises(12);
  absl::StatusOr<WaitAnswer> waited;
  base::Thread waiter("waiter", [&] { waited = Wait(ids, ReturnWhen::kFirstCompleted); });
  while (Stats().shards.links < 12) Quiet();
  Settle(ids[7], "x");
  waiter.Join();
  ASSERT_TRUE(waited.ok());
  EXPECT_FALSE(waited->timed_out);
  ASSERT_THAT(waited->done, SizeIs(1));
  EXPECT_EQ(waited->done[0].id, ids[7]);
  EXPECT_THAT(waited->pending, SizeIs(11));
  ExpectNothingLeftBehind();
}

// semantics 31, 32
TEST_P(ServiceWaitTest, ACancelledMemberIsNoExceptionInAnyShard) {
  const auto ids = Promises(6);
  absl::StatusOr<WaitAnswer> waited;
  base::Thread waiter("waiter", [&] { waited = Wait(ids, ReturnWhen::kFirstException); });
  while (Stats().shards.links < 6) Quiet();
  EXPECT_EQ(CancelOne(ids[0]), core::CancelEffect::kCancelled);
  for (int i = 1; i < 6; ++i) {
    EXPECT_GT(Stats().shards.waits, 0u);
    Settle(ids[static_cast<size_t>(i)], "x");
  }
  waiter.Join();
  ASSERT_TRUE(waited.ok());
  EXPECT_THAT(waited->done, SizeIs(6));
  ExpectNothingLeftBehind();
}

// semantics 27
TEST_P(ServiceWaitTest, ATimeoutIsNoError) {
  const auto ids = Promises(6);
  absl::StatusOr<WaitAnswer> waited;
  base::Thread waiter("waiter", [&] { waited = Wait(ids, ReturnWhen::kAllCompleted, seconds(3)); });
  while (Stats().shards.links < 6) Quiet();
  Settle(ids[2], "x");
  Advance(seconds(4));
  waiter.Join();
  ASSERT_TRUE(waited.ok());
  EXPECT_TRUE(waited->timed_out);
  EXPECT_THAT(waited->done, SizeIs(1));
  EXPECT_EQ(View(ids[0]).state, State::kPending);
  ExpectNothingLeftBehind();
}

// semantics 23
TEST_P(ServiceWaitTest, AWaitForNothingIsRefused) {
  EXPECT_EQ(base::ReasonOf(Wait({}, ReturnWhen::kAllCompleted).status()), base::Reason::kEmptySet);
  core::FutureSet group;
  group.group = "nobody";
  coro::CancelToken token;
  auto answer = On(0, service_->Wait(ns_.id, group, ReturnWhen::kAllCompleted, std::nullopt, true, token));
  EXPECT_EQ(base::ReasonOf(answer.status()), base::Reason::kEmptySet);
}

coro::Task<std::vector<std::string>> TakeAll(Service& service, values::NamespaceId ns, core::FutureSet set,
                                             StreamOptions options, std::string& token, bool& timed_out) {
  std::vector<std::string> taken;
  coro::CancelToken cancel;
  auto stream = co_await service.AsCompleted(ns, std::move(set), options);
  if (!stream.ok()) {
    taken.push_back(stream.status().ToString());
    co_return taken;
  }
  while (true) {
    auto batch = co_await (*stream)->Next(3, cancel);
    if (!batch.ok()) break;
    for (const core::Completion& completion : batch->completions) {
      taken.push_back(completion.outcome ? completion.outcome->value.body() : "expired");
    }
    token = batch->resume_token;
    timed_out = batch->timed_out;
    if (batch->ended) break;
  }
  co_return taken;
}

// semantics 37-41
TEST_P(ServiceWaitTest, AStreamDeliversEachOnceThenTheTimeout) {
  const auto ids = Promises(8);
  Settle(ids[5], "5");
  Settle(ids[1], "1");
  core::FutureSet set;
  set.ids = ids;
  set.ids.push_back(ids[5]);
  StreamOptions options;
  options.bounded = true;
  options.timeout = seconds(2);
  std::string token;
  bool timed_out = false;
  std::vector<std::string> taken;
  base::Thread reader("reader", [&] { taken = On(0, TakeAll(*service_, ns_.id, set, options, token, timed_out)); });
  while (Stats().shards.streams == 0) Quiet();
  Quiet();
  Settle(ids[2], "2");
  Quiet();
  Advance(seconds(3));
  reader.Join();
  EXPECT_THAT(taken, testing::UnorderedElementsAre("5", "1", "2"));
  EXPECT_EQ(taken.back(), "2");
  EXPECT_TRUE(timed_out);
  ExpectNothingLeftBehind();

  // semantics 42: taken up again, nothing is lost and nothing comes twice
  for (const int i : {0, 3, 4, 6, 7}) Settle(ids[static_cast<size_t>(i)], std::to_string(i));
  options.bounded = false;
  options.resume_token = token;
  taken = On(1, TakeAll(*service_, ns_.id, set, options, token, timed_out));
  EXPECT_THAT(taken, testing::UnorderedElementsAre("0", "3", "4", "6", "7"));
  EXPECT_FALSE(timed_out);
  ExpectNothingLeftBehind();
}

// semantics 37
TEST_P(ServiceWaitTest, AStreamOverNothingEndsAtOnce) {
  std::string token;
  bool timed_out = false;
  EXPECT_THAT(On(0, TakeAll(*service_, ns_.id, {}, {}, token, timed_out)), SizeIs(0));
  EXPECT_FALSE(timed_out);
}

TEST_P(ServiceWaitTest, AResumeTokenOfAnotherSetIsRefused) {
  const auto ids = Promises(3);
  for (const auto& id : ids) Settle(id, "x");
  std::string token;
  bool timed_out = false;
  core::FutureSet set;
  set.ids = ids;
  EXPECT_THAT(On(0, TakeAll(*service_, ns_.id, set, {}, token, timed_out)), SizeIs(3));
  StreamOptions options;
  options.resume_token = token;
  set.ids.pop_back();
  auto stream = On(0, service_->AsCompleted(ns_.id, set, options));
  EXPECT_EQ(base::ReasonOf(stream.status()), base::Reason::kInvalidResumeToken);
  options.resume_token = "garbage!";
  stream = On(0, service_->AsCompleted(ns_.id, set, options));
  EXPECT_EQ(base::ReasonOf(stream.status()), base::Reason::kInvalidResumeToken);
}

}  // namespace
}  // namespace muster::runtime
