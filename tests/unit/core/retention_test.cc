#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

TEST_F(CoreTest, AResultIsKeptForItsRetention) {  // semantics 100
  const FutureId id = Promise();
  Advance(std::chrono::hours(10));
  Settle(id, Text("kept"));
  EXPECT_EQ(Get(id).expire_time, now + std::chrono::hours(1));
  Advance(std::chrono::hours(1) - base::Duration(1));
  EXPECT_EQ(ValueOf(id), "kept");
  Advance(base::Duration(1));
  EXPECT_EQ(WhyNot(id), base::Reason::kFutureExpired);
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].id, id);
  EXPECT_EQ(bytes, 0);
}

TEST_F(CoreTest, ALiveFutureNeverExpires) {
  const FutureId id = Promise();
  Advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(StateOf(id), State::kPending);
  EXPECT_EQ(shard.NextDeadline(), base::kNever);
}

TEST_F(CoreTest, AnOpenWaitHoldsItsMembersPastTheirRetention) {  // semantics 36, 100
  const FutureId a = Promise(), b = Promise();
  const Token wait = Wait({a, b});
  Settle(a, Text("kept"));
  Advance(std::chrono::hours(5));
  EXPECT_EQ(StateOf(a), State::kSucceeded);
  Settle(b, Text(""));
  EXPECT_EQ(waits.at(wait).done.at(0).outcome->value.body(), "kept");
  EXPECT_EQ(WhyNot(a), base::Reason::kFutureExpired);
  ExpectNothingLeft();
}

TEST_F(CoreTest, DeleteForgetsADoneFuture) {
  const FutureId id = Promise();
  const absl::Status live = test::Delete(shard, kNs, id, now, out);
  EXPECT_EQ(WhyNot(live), base::Reason::kNotDone);
  Settle(id, Raised("Oops"));
  Run([&] { EXPECT_TRUE(test::Delete(shard, kNs, id, now, out).ok()); });
  EXPECT_EQ(WhyNot(id), base::Reason::kFutureExpired);
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(WhyNot(test::Delete(shard, kNs, id, now, out)), base::Reason::kFutureExpired);
  EXPECT_EQ(bytes, 0);
}

TEST_F(CoreTest, WhoHasADeletedFuturePinnedKeepsIt) {
  const FutureId a = Promise(), b = Promise();
  const Token wait = Wait({a, b});
  Settle(a, Text("kept"));
  Run([&] { EXPECT_TRUE(test::Delete(shard, kNs, a, now, out).ok()); });
  EXPECT_EQ(WhyNot(a), base::Reason::kFutureExpired);
  EXPECT_THAT(dropped, IsEmpty());
  Settle(b, Text(""));
  EXPECT_EQ(waits.at(wait).done.at(0).outcome->value.body(), "kept");
  EXPECT_EQ(dropped.size(), 1u);
}

TEST_F(CoreTest, BytesAreCountedAndReturnToZero) {
  JobSpec spec = JobOf(FunctionKind::kAsync);
  spec.input = Payload::Text(std::string(100, 'i'));
  Options options;
  options.name = "0123456789";
  const FutureId id = Make(spec, std::make_unique<Options>(options));
  EXPECT_EQ(bytes, 110);
  End(id, Text(std::string(30, 'o')));
  EXPECT_EQ(bytes, 40);
  Gather({id, id});
  EXPECT_GT(bytes, 40);
  ExpectNothingLeft();
}

TEST_F(CoreTest, TickCanBeHeldToTheEarliestInstant) {
  Options a, b;
  a.delay = seconds(1);
  b.delay = seconds(2);
  const FutureId first = Job(a), second = Job(a), third = Job(b);
  now += seconds(5);
  Run([&] { shard.Tick(now, out, true); });
  EXPECT_EQ(StateOf(first), State::kQueued);
  EXPECT_EQ(StateOf(second), State::kQueued);
  EXPECT_EQ(StateOf(third), State::kDelayed);
  Run([&] { shard.Tick(now, out, true); });
  EXPECT_EQ(StateOf(third), State::kQueued);
}

TEST_F(CoreTest, TheNextDeadlineIsExact) {
  EXPECT_EQ(shard.NextDeadline(), base::kNever);
  Options options;
  options.delay = seconds(7);
  Job(options);
  EXPECT_EQ(shard.NextDeadline(), now + seconds(7));
  const FutureId promise = Promise();
  const Token wait = Wait({promise}, ReturnWhen::kAllCompleted, seconds(3));
  EXPECT_EQ(shard.NextDeadline(), now + seconds(3));
  Leave(wait);
  EXPECT_EQ(shard.NextDeadline(), now + seconds(7));
}

}  // namespace
}  // namespace muster::core
