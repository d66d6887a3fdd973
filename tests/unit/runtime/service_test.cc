#include "tests/unit/runtime/service_fixture.h"

namespace muster::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using values::ReturnWhen;
using values::State;

class ServiceTest : public ServiceFixture {};
INSTANTIATE_TEST_SUITE_P(Loops, ServiceTest, EverySetting(), NameOfSetting);

TEST_P(ServiceTest, AJobRunsAndItsResultCanBeReadFromAnyLoop) {
  const values::FutureId id = SubmitOk(Job("echo", "hello"), 1);
  Quiet();
  const core::FutureView view = View(id, 0);
  EXPECT_EQ(view.state, State::kSucceeded);
  EXPECT_EQ(view.outcome->value.body(), "hello");
  EXPECT_EQ(view.attempt, 1u);
}

TEST_P(ServiceTest, AFailureKeepsItsTypeAndAThrownExceptionIsAFailure) {
  const values::FutureId failed = SubmitOk(Job("fail", "too big"));
  const values::FutureId thrown = SubmitOk(Job("throw"));
  Quiet();
  EXPECT_EQ(View(failed).state, State::kFailed);
  EXPECT_EQ(View(failed).outcome->error->type, "ValueError");
  EXPECT_EQ(View(failed).outcome->error->message, "too big");
  EXPECT_EQ(View(thrown).state, State::kFailed);
  EXPECT_EQ(View(thrown).outcome->error->message, "thrown");
}

TEST_P(ServiceTest, ACallAnswersWithTheOutcomeAndLeavesNothing) {
  coro::CancelToken token;
  auto completion = On(1, service_->Call(Job("echo", "x"), token, false));
  ASSERT_TRUE(completion.ok()) << completion.status().ToString();
  EXPECT_EQ(completion->state, State::kSucceeded);
  EXPECT_EQ(completion->outcome->value.body(), "x");
  const Service::Stats stats = Stats();
  EXPECT_EQ(stats.shards.futures, 0u);
  EXPECT_EQ(stats.shards.calls, 0u);
  EXPECT_EQ(stats.bytes, 0);
}

coro::Task<void> CallAndLeave(Service& service, core::Submit command, coro::CancelToken& token, bool cancel,
                              absl::Status& status) {
  auto completion = co_await service.Call(std::move(command), token, cancel);
  status = completion.status();
}

coro::Task<void> LeaveSoon(Service& service, core::Submit command, bool cancel, absl::Status& status) {
  coro::Scope scope;
  coro::CancelToken caller;
  scope.Spawn(CallAndLeave(service, std::move(command), caller, cancel, status));
  coro::CancelToken mine;
  absl::Status yielded = co_await coro::Yield(mine);
  caller.Cancel("gone");
  yielded = co_await scope.Join(mine);
}

// semantics 98
TEST_P(ServiceTest, ACallerThatLeavesEndsItsCallAndNotTheFuture) {
  absl::Status status;
  core::Submit command = Job("sleep", "5");
  command.options = std::make_unique<values::Options>();
  command.options->group = "g";
  On(0, LeaveSoon(*service_, std::move(command), false, status));
  EXPECT_TRUE(absl::IsCancelled(status));
  auto members = On(0, service_->GroupMembers(ns_.id, "g"));
  ASSERT_TRUE(members.ok()) << members.status().ToString();
  EXPECT_EQ(View(members->front()).state, State::kRunning);
  Advance(seconds(6));
  EXPECT_EQ(View(members->front()).state, State::kSucceeded);
  Advance(seconds(61));
  EXPECT_EQ(Stats().shards.futures, 0u);
}

// semantics 98
TEST_P(ServiceTest, ACallerThatAskedForItTakesItsFutureAlong) {
  absl::Status status;
  core::Submit command = Job("sleep", "5");
  command.options = std::make_unique<values::Options>();
  command.options->group = "g";
  On(0, LeaveSoon(*service_, std::move(command), true, status));
  Quiet();
  auto members = On(0, service_->GroupMembers(ns_.id, "g"));
  ASSERT_TRUE(members.ok()) << members.status().ToString();
  EXPECT_EQ(View(members->front()).state, State::kCancelled);
}

// semantics 2, 5, 13
TEST_P(ServiceTest, APromiseIsSettledFromOutsideAndAJobIsNot) {
  const values::FutureId promise = SubmitOk(Spec(values::PromiseSpec{}));
  const values::FutureId job = SubmitOk(Job("sleep", "5"));
  Settle(promise, "42");
  EXPECT_EQ(View(promise).outcome->value.body(), "42");
  core::SettlePromise settle;
  settle.ns = ns_.id;
  settle.id = promise;
  settle.outcome = values::Outcome::Value({});
  core::SettlePromise foreign = settle;
  foreign.id = job;
  EXPECT_EQ(base::ReasonOf(On(0, service_->SettlePromise(settle)).status()), base::Reason::kAlreadyDone);
  EXPECT_EQ(base::ReasonOf(On(0, service_->SettlePromise(foreign)).status()), base::Reason::kNotAPromise);
}

TEST_P(ServiceTest, TheSameRequestIdGivesTheSameFutureFromAnyLoop) {
  core::Submit first = Job("echo", "x");
  core::Submit again = Job("echo", "x");
  core::Submit other = Job("echo", "y");
  other.spec_hash = 7;
  Request(first, "r1");
  Request(again, "r1");
  Request(other, "r1");
  const values::FutureId id = SubmitOk(std::move(first), 0);
  auto answer = TrySubmit(std::move(again), 1);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->id, id);
  EXPECT_TRUE(answer->deduplicated);
  EXPECT_EQ(base::ReasonOf(TrySubmit(std::move(other), 2).status()), base::Reason::kRequestIdReused);
}

// semantics 45, 47
TEST_P(ServiceTest, AGatherOverManyShardsKeepsInputOrderAndDuplicates) {
  values::GatherSpec gather;
  for (int i = 0; i < 20; ++i) {
    gather.members.push_back(SubmitElsewhere(i == 7 ? Job("fail", "7") : Job("echo", std::to_string(i)), i));
  }
  gather.members.push_back(gather.members[3]);
  gather.return_exceptions = true;
  const values::FutureId id = SubmitOk(Spec(std::move(gather)));
  Quiet();
  const core::FutureView view = View(id);
  ASSERT_EQ(view.state, State::kSucceeded);
  ASSERT_EQ(view.outcome->gathered.size(), 21u);
  EXPECT_EQ(view.outcome->gathered[19]->value.body(), "19");
  EXPECT_EQ(view.outcome->gathered[20]->value.body(), "3");
  EXPECT_EQ(view.outcome->gathered[7]->error->message, "7");
}

TEST_P(ServiceTest, AGatherOfAnUnknownIdIsRefusedWhereverItWouldLive) {
  values::FutureId unknown = SubmitElsewhere(Job("echo"), 1);
  unknown.sequence += 1000;
  values::GatherSpec gather;
  gather.members = {SubmitElsewhere(Job("echo"), 2), unknown};
  const absl::Status status = TrySubmit(Spec(std::move(gather))).status();
  EXPECT_EQ(base::ReasonOf(status), base::Reason::kFutureNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(unknown.ToText()));
}

// semantics 22
TEST_P(ServiceTest, ListPagesThroughAllShardsAndFiltersByState) {
  for (int i = 0; i < 25; ++i) SubmitElsewhere(i % 2 == 0 ? Job("echo") : Job("sleep", "100"), i);
  Quiet();
  core::ListFutures query;
  query.ns = ns_.id;
  query.max = 10;
  std::vector<size_t> sizes;
  std::string page;
  do {
    auto answer = On(0, service_->List(query, page));
    ASSERT_TRUE(answer.ok());
    sizes.push_back(answer->futures.size());
    page = answer->next_page_token;
  } while (!page.empty());
  EXPECT_THAT(sizes, ElementsAre(10, 10, 5));
  query.max = 100;
  query.state_mask = 1u << static_cast<int>(State::kRunning);
  EXPECT_EQ(On(0, service_->List(query, ""))->futures.size(), 12u);
  EXPECT_EQ(base::ReasonOf(On(0, service_->List(query, "zzz")).status()), base::Reason::kInvalidPageToken);
}

TEST_P(ServiceTest, DeleteForgetsWhatIsDoneAndRefusesWhatLives) {
  const values::FutureId done = SubmitElsewhere(Job("echo"), 1);
  const values::FutureId live = SubmitElsewhere(Job("sleep", "100"), 2);
  Quiet();
  core::FutureSet set;
  set.ids = {done, live};
  auto deleted = On(1, service_->Delete(ns_.id, set));
  ASSERT_TRUE(deleted.ok());
  for (const auto& [id, status] : *deleted) {
    EXPECT_EQ(status.ok(), id == done);
    if (id == live) {
      EXPECT_EQ(base::ReasonOf(status), base::Reason::kNotDone);
    }
  }
  EXPECT_EQ(base::ReasonOf(On(0, service_->Get(ns_.id, done, true)).status()), base::Reason::kFutureExpired);
}

// semantics 100
TEST_P(ServiceTest, WhatIsKeptTooLongIsForgottenAndSaysSo) {
  const values::FutureId id = SubmitOk(Job("echo"));
  Quiet();
  Advance(std::chrono::minutes(59));
  EXPECT_EQ(View(id).state, State::kSucceeded);
  Advance(std::chrono::minutes(2));
  EXPECT_EQ(base::ReasonOf(On(0, service_->Get(ns_.id, id, true)).status()), base::Reason::kFutureExpired);
  EXPECT_EQ(Stats().bytes, 0);
}

TEST_P(ServiceTest, AnotherNamespaceSeesNothing) {
  const values::FutureId id = SubmitOk(Job("echo"));
  const values::Namespace other = *service_->OpenNamespace("other");
  EXPECT_EQ(base::ReasonOf(On(0, service_->Get(other.id, id, true)).status()), base::Reason::kFutureNotFound);
}

TEST_P(ServiceTest, ADrainRefusesSubmitsAndTellsWhoeverWaits) {
  const values::FutureId promise = SubmitOk(Spec(values::PromiseSpec{}));
  absl::StatusOr<WaitAnswer> waited;
  base::Thread waiter("waiter", [&] { waited = Wait({promise}, ReturnWhen::kAllCompleted); });
  while (Stats().shards.waits == 0) Quiet();
  service_->BeginDrain();
  waiter.Join();
  EXPECT_EQ(base::ReasonOf(waited.status()), base::Reason::kDraining);
  EXPECT_EQ(base::ReasonOf(TrySubmit(Job("echo")).status()), base::Reason::kDraining);
  EXPECT_EQ(Stats().shards.waits, 0u);
}

}  // namespace
}  // namespace muster::runtime
