#include "service/coro/scope.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/coro/event.h"
#include "service/coro/sleep.h"
#include "service/coro/timeout.h"
#include "tests/support/manual_executor.h"

namespace muster::coro {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ManualExecutor;

// ---- Scope

Task<absl::Status> SleepThen(CancelToken& token, base::Duration duration, absl::Status end,
                             std::vector<std::string>* log, std::string name) {
  const absl::Status slept = co_await Sleep(token, duration);
  if (!slept.ok()) {
    log->push_back(name + " cancelled: " + std::string(slept.message()));
    co_return slept;
  }
  log->push_back(name);
  co_return end;
}

Task<absl::Status> FirstErrorBody(Scope::OnError on_error, std::vector<std::string>* log) {
  CancelToken token;
  Scope scope(on_error);
  scope.Spawn(&SleepThen, seconds(1), absl::OkStatus(), log, std::string("a"));
  scope.Spawn(&SleepThen, seconds(2), absl::DataLossError("b"), log, std::string("b"));
  scope.Spawn(&SleepThen, seconds(3), absl::OkStatus(), log, std::string("c"));
  co_return co_await scope.Join(token);
}

TEST(ScopeTest, TheFirstErrorCancelsTheSiblings) {
  ManualExecutor executor;
  std::vector<std::string> log;
  EXPECT_EQ(executor.Run(FirstErrorBody(Scope::OnError::kCancelSiblings, &log)), absl::DataLossError("b"));
  EXPECT_EQ(log, (std::vector<std::string>{"a", "b", "c cancelled: a sibling failed"}));
}

TEST(ScopeTest, OrLeavesThemAloneWhenToldSo) {
  ManualExecutor executor;
  std::vector<std::string> log;
  EXPECT_EQ(executor.Run(FirstErrorBody(Scope::OnError::kKeepGoing, &log)), absl::DataLossError("b"));
  EXPECT_EQ(log, (std::vector<std::string>{"a", "b", "c"}));
}

Task<absl::Status> JoinOne(CancelToken& token, std::vector<std::string>* log) {
  Scope scope;
  scope.Spawn(&SleepThen, seconds(5), absl::OkStatus(), log, std::string("child"));
  co_return co_await scope.Join(token);
}

Task<void> KeepStatus(Task<absl::Status> task, std::optional<absl::Status>& outcome) {
  outcome = co_await std::move(task);
}

TEST(ScopeTest, CancellingJoinCancelsTheChildrenAndWaitsForThem) {
  ManualExecutor executor;
  CancelToken token;
  std::vector<std::string> log;
  std::optional<absl::Status> outcome;
  executor.Spawn(KeepStatus(JoinOne(token, &log), outcome));
  executor.Advance(seconds(1));
  token.Cancel("shut");
  executor.RunUntilDone();
  EXPECT_EQ(outcome, absl::CancelledError("shut"));
  EXPECT_EQ(log, std::vector<std::string>{"child cancelled: shut"});
}

Task<absl::Status> CancelBeforeStart(std::vector<std::string>* log) {
  CancelToken token;
  Scope scope;
  scope.Spawn(&SleepThen, seconds(5), absl::OkStatus(), log, std::string("child"));
  scope.Cancel("never mind");
  co_return co_await scope.Join(token);
}

TEST(ScopeTest, AChildCancelledBeforeItStartsNeverRuns) {  // semantics 7
  ManualExecutor executor;
  std::vector<std::string> log;
  EXPECT_EQ(executor.Run(CancelBeforeStart(&log)), absl::OkStatus());
  EXPECT_TRUE(log.empty());
}

Task<void> Nothing() { co_return; }

Task<int> SpawnMany(int count) {
  CancelToken token;
  Scope scope;
  for (int i = 0; i < count; ++i) scope.Spawn(Nothing());
  const auto live = static_cast<int>(scope.live());
  const absl::Status status = co_await scope.Join(token);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(scope.live(), 0u);
  co_return live;
}

TEST(ScopeTest, ChildrenRunFromTheReadyListNotInsideSpawn) {
  ManualExecutor executor;
  EXPECT_EQ(executor.Run(SpawnMany(10'000)), 10'000);
}

Task<void> Undrained() {
  Scope scope;
  scope.Spawn(Nothing());
  co_return;
}

TEST(ScopeDeathTest, MustBeDrainedBeforeItDies) {
  EXPECT_DEATH(ManualExecutor().Run(Undrained()), "outlive their scope");
}

// ---- Timeout

Task<void> ExpiresAndConverts() {
  CancelToken token;
  Timeout timeout(token, seconds(1));
  absl::Status status = co_await Sleep(token, seconds(10));
  CO_ASSERT_TRUE(absl::IsCancelled(status));
  status = timeout.Finish(std::move(status));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(timeout.expired());
  EXPECT_EQ(token.cancelling(), 0);
}

TEST(TimeoutTest, TurnsItsOwnCancelIntoDeadlineExceeded) {  // semantics 63
  ManualExecutor executor;
  const base::Instant start = executor.Now();
  executor.Run(ExpiresAndConverts());
  EXPECT_EQ(executor.Now(), start + seconds(1));
}

Task<void> ForeignCancel(CancelToken& token) {
  Timeout timeout(token, seconds(1));
  absl::Status status = co_await Sleep(token, seconds(10));
  status = timeout.Finish(std::move(status));
  EXPECT_EQ(status, absl::CancelledError("from outside"));
  EXPECT_FALSE(timeout.expired());
  EXPECT_EQ(token.cancelling(), 1);
}

TEST(TimeoutTest, LeavesAForeignCancelAlone) {  // semantics 63
  ManualExecutor executor;
  CancelToken token;
  executor.Spawn(ForeignCancel(token));
  executor.Advance(milliseconds(500));
  token.Cancel("from outside");
  executor.RunUntilDone();
}

Task<void> BothCancels() {
  CancelToken token;
  Timeout timeout(token, seconds(1));
  absl::Status status = co_await Sleep(token, seconds(10));
  CO_ASSERT_EQ(token.cancelling(), 1);
  token.Cancel("from outside");
  status = timeout.Finish(std::move(status));
  EXPECT_TRUE(absl::IsCancelled(status)) << "a cancel from outside outranks the timeout";
  EXPECT_TRUE(timeout.expired());
  EXPECT_EQ(token.cancelling(), 1);
}

TEST(TimeoutTest, ACancelFromOutsideBesideItsOwnStaysACancel) { ManualExecutor().Run(BothCancels()); }  // semantics 63

Task<void> Nested(base::Duration inner_limit, base::Duration outer_limit, bool inner_fires) {
  CancelToken token;
  Timeout outer(token, outer_limit);
  Timeout inner(token, inner_limit);
  absl::Status status = co_await Sleep(token, seconds(10));
  status = inner.Finish(std::move(status));
  EXPECT_EQ(absl::IsDeadlineExceeded(status), inner_fires);
  EXPECT_EQ(inner.expired(), inner_fires);
  status = outer.Finish(std::move(status));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_EQ(outer.expired(), !inner_fires);
  EXPECT_EQ(token.cancelling(), 0);
}

TEST(TimeoutTest, OfNestedScopesTheRightOneFires) {  // semantics 64
  ManualExecutor().Run(Nested(seconds(1), seconds(2), true));
  ManualExecutor().Run(Nested(seconds(2), seconds(1), false));
}

Task<void> NestedBothExpire() {
  CancelToken token;
  Timeout outer(token, seconds(1));
  Timeout inner(token, seconds(1));
  absl::Status status = co_await Sleep(token, seconds(10));
  status = inner.Finish(std::move(status));
  status = outer.Finish(std::move(status));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_EQ(token.cancelling(), 0);
  const absl::Status after = co_await Yield(token);
  EXPECT_TRUE(after.ok()) << "no cancel is left over";
}

TEST(TimeoutTest, CancellingEndsAtZeroWhenBothFire) {  // semantics 64
  for (int i = 0; i < 20; ++i) ManualExecutor().Run(NestedBothExpire());
}

Task<void> FiresBeforeItSuspends() {
  CancelToken token;
  Timeout timeout(token, base::Duration::zero());
  absl::Status status = co_await Yield(token);
  status = timeout.Finish(std::move(status));
  EXPECT_EQ(token.cancelling(), 0);
  const absl::Status after = co_await Yield(token);
  EXPECT_TRUE(after.ok());
}

TEST(TimeoutTest, OfZeroLeavesNoCancelBehind) { ManualExecutor().Run(FiresBeforeItSuspends()); }

Task<void> Reschedules() {
  CancelToken token;
  Timeout timeout(token, seconds(1));
  const base::Instant start = Executor::Current()->Now();
  CO_ASSERT_OK(timeout.Reschedule(start + seconds(5)));
  absl::Status status = co_await Sleep(token, seconds(3));
  CO_ASSERT_OK(status);
  CO_ASSERT_OK(timeout.Reschedule(std::nullopt));
  status = co_await Sleep(token, seconds(60));
  CO_ASSERT_OK(status);
  CO_ASSERT_OK(timeout.Reschedule(start));
  status = co_await Sleep(token, seconds(60));
  CO_ASSERT_TRUE(absl::IsCancelled(status));
  EXPECT_FALSE(timeout.Reschedule(std::nullopt).ok()) << "it has fired";
  status = timeout.Finish(std::move(status));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_FALSE(timeout.Reschedule(std::nullopt).ok()) << "it has finished";
}

TEST(TimeoutTest, IsRescheduledOnlyWhileActive) { ManualExecutor().Run(Reschedules()); }  // semantics 65

Task<void> ErrorsPass() {
  CancelToken token;
  Timeout timeout(token, seconds(1));
  const absl::Status status = timeout.Finish(absl::DataLossError("mine"));
  EXPECT_EQ(status, absl::DataLossError("mine"));
  co_return;
}

TEST(TimeoutTest, OtherErrorsPassUnchanged) { ManualExecutor().Run(ErrorsPass()); }

}  // namespace
}  // namespace muster::coro
