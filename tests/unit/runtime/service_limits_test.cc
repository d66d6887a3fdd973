#include "tests/unit/runtime/service_fixture.h"

namespace muster::runtime {
namespace {

using values::ReturnWhen;

class ServiceLimitsTest : public ServiceFixture {
 protected:
  void SetUp() override {}  // each test starts with limits of its own
};
INSTANTIATE_TEST_SUITE_P(Loops, ServiceLimitsTest, EverySetting(), NameOfSetting);

TEST_P(ServiceLimitsTest, FuturesPastTheLimitAreRefusedUntilSomeHaveEnded) {
  Service::Options options;
  options.limits.pending_futures_max = 3;
  Start(options);
  std::vector<values::FutureId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(SubmitOk(Spec(values::PromiseSpec{})));
  EXPECT_EQ(base::ReasonOf(TrySubmit(Job("echo")).status()), base::Reason::kTooManyFutures);
  Settle(ids[0], "x");
  EXPECT_TRUE(TrySubmit(Job("echo")).ok());
}

TEST_P(ServiceLimitsTest, ANamespaceThatHoldsTooManyBytesIsRefusedUntilItDeletes) {
  Service::Options options;
  options.limits.namespace_bytes_max = 5000;
  Start(options);
  const values::FutureId big = SubmitOk(Job("echo", std::string(6000, 'x')));
  Quiet();
  EXPECT_EQ(base::ReasonOf(TrySubmit(Job("echo")).status()), base::Reason::kTooManyBytes);
  const values::Namespace other = *service_->OpenNamespace("other");
  core::Submit elsewhere = Job("echo");
  elsewhere.ns = other.id;
  elsewhere.ns_tag = other.tag;
  EXPECT_TRUE(TrySubmit(std::move(elsewhere)).ok());
  core::FutureSet set;
  set.ids = {big};
  ASSERT_TRUE(On(0, service_->Delete(ns_.id, set)).ok());
  EXPECT_TRUE(TrySubmit(Job("echo")).ok());
}

// What a client may not ask for, a body may not either.
TEST_P(ServiceLimitsTest, ABodysChildIsHeldToTheBoundsOfOptions) {
  Start({});
  const values::FutureId taken = SubmitOk(Job("named_child", std::string(values::kNameMax, 'n')));
  const values::FutureId refused = SubmitOk(Job("named_child", std::string(values::kNameMax + 1, 'n')));
  Quiet();
  const core::FutureView parent = View(taken);
  ASSERT_EQ(parent.state, values::State::kSucceeded);
  EXPECT_EQ(View(*values::FutureId::Parse(parent.outcome->value.body())).name, std::string(values::kNameMax, 'n'));
  const core::FutureView failed = View(refused);
  ASSERT_EQ(failed.state, values::State::kFailed);
  EXPECT_NE(failed.outcome->error->message.find("options.name: "), std::string::npos) << failed.outcome->error->message;
  EXPECT_NE(failed.outcome->error->message.find("has 256 bytes; at most 255 are allowed"), std::string::npos);
}

TEST_P(ServiceLimitsTest, AFullBlockingQueueRefusesAndLosesNothing) {
  Service::Options options;
  options.blocking_queue_max = 2;
  Start(options);
  std::vector<values::FutureId> running = {SubmitOk(Job("gate")), SubmitOk(Job("gate"))};
  gate_->WaitForArrivals(2);
  for (const values::FutureId& id : running) {
    while (View(id).state != values::State::kRunning) {
    }
  }
  std::vector<values::FutureId> queued = {SubmitOk(Job("gate")), SubmitOk(Job("gate"))};
  EXPECT_EQ(base::ReasonOf(TrySubmit(Job("gate")).status()), base::Reason::kQueueFull);
  gate_->Open();
  Quiet();
  for (const values::FutureId& id : queued) EXPECT_EQ(View(id).state, values::State::kSucceeded);
}

TEST_P(ServiceLimitsTest, WaitersAndMembersAndStreamsAreCounted) {
  Service::Options options;
  options.limits.waiters_max = 1;
  options.limits.set_max = 5;
  options.limits.wait_members_max = 4;
  options.limits.streams_max = 1;
  Start(options);
  std::vector<values::FutureId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(SubmitOk(Spec(values::PromiseSpec{})));
  EXPECT_EQ(base::ReasonOf(Wait(ids, ReturnWhen::kAllCompleted, seconds(0)).status()), base::Reason::kSetTooLarge);
  ids.pop_back();
  EXPECT_EQ(base::ReasonOf(Wait(ids, ReturnWhen::kAllCompleted, seconds(0)).status()), base::Reason::kTooManyWaiters);
  absl::StatusOr<WaitAnswer> waited;
  base::Thread waiter("waiter", [&] { waited = Wait({ids[0]}, ReturnWhen::kAllCompleted); });
  while (Stats().shards.waits == 0) Quiet();
  EXPECT_EQ(base::ReasonOf(Wait({ids[1]}, ReturnWhen::kAllCompleted).status()), base::Reason::kTooManyWaiters);
  coro::CancelToken token;
  auto call = On(0, service_->Call(Job("echo"), token, false));
  EXPECT_EQ(base::ReasonOf(call.status()), base::Reason::kTooManyWaiters);
  Settle(ids[0], "x");
  waiter.Join();
  EXPECT_TRUE(waited.ok());
  EXPECT_TRUE(On(0, service_->Call(Job("echo"), token, false)).ok());
}

TEST_P(ServiceLimitsTest, NamespacesAreCounted) {
  Service::Options options;
  options.limits.namespaces_max = 2;
  Start(options);
  EXPECT_TRUE(service_->OpenNamespace("second").ok());
  EXPECT_EQ(base::ReasonOf(service_->OpenNamespace("third").status()), base::Reason::kTooManyNamespaces);
  EXPECT_TRUE(service_->OpenNamespace("second").ok());
}

TEST_P(ServiceLimitsTest, RequestIdsAreCountedUntilTheirWindowCloses) {
  Service::Options options;
  options.limits.request_ids_max = 2;
  Start(options);
  for (int i = 0; i < 2; ++i) SubmitElsewhere(Job("echo"), i);
  core::Submit third = Job("echo");
  Request(third, "third");
  EXPECT_EQ(base::ReasonOf(TrySubmit(std::move(third)).status()), base::Reason::kTooManyRequestIds);
  Quiet();
  Advance(std::chrono::minutes(71));
  core::Submit later = Job("echo");
  Request(later, "later");
  EXPECT_TRUE(TrySubmit(std::move(later)).ok());
}

// Whose answer was lost must be able to ask again, whatever limit has been reached meanwhile.
TEST_P(ServiceLimitsTest, ARepetitionIsAnsweredThoughThereIsRoomForNothingNew) {  // semantics 102
  Service::Options options;
  options.limits.request_ids_max = 1;
  options.limits.pending_futures_max = 1;
  Start(options);
  core::Submit first = Spec(values::PromiseSpec{});
  Request(first, "known");
  const auto made = TrySubmit(std::move(first));
  ASSERT_TRUE(made.ok());
  core::Submit again = Spec(values::PromiseSpec{});
  Request(again, "known");
  const auto repeated = TrySubmit(std::move(again));
  ASSERT_TRUE(repeated.ok()) << repeated.status();
  EXPECT_EQ(repeated->id, made->id);
  EXPECT_TRUE(repeated->deduplicated);
  core::Submit unknown = Job("echo");
  Request(unknown, "unknown");
  EXPECT_EQ(base::ReasonOf(TrySubmit(std::move(unknown)).status()), base::Reason::kTooManyFutures);
}

}  // namespace
}  // namespace muster::runtime
