#include "service/coro/cancel.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/coro/event.h"
#include "service/coro/sleep.h"
#include "tests/support/manual_executor.h"

namespace muster::coro {
namespace {

using test::ManualExecutor;

Task<absl::Status> WaitFor(Event& event, CancelToken& token) { co_return co_await event.Wait(token); }

// Runs `task` up to its first suspension and keeps its outcome.
Task<void> Keep(Task<absl::Status> task, std::optional<absl::Status>& outcome) { outcome = co_await std::move(task); }

struct Waiting {
  explicit Waiting(ManualExecutor& executor) {
    executor.Spawn(Keep(WaitFor(event, token), outcome));
    executor.RunUntilIdle();
  }
  CancelToken token;
  Event event;
  std::optional<absl::Status> outcome;
};

TEST(CancelTokenTest, CountsAndNeverGoesBelowZero) {  // semantics 9
  CancelToken token;
  EXPECT_EQ(token.Uncancel(), 0);
  token.Cancel("a");
  token.Cancel("b");
  EXPECT_EQ(token.cancelling(), 2);
  EXPECT_EQ(token.message(), "b");
  EXPECT_TRUE(token.cancel_requested());
  EXPECT_EQ(token.Uncancel(), 1);
  EXPECT_TRUE(token.cancel_pending());
  EXPECT_TRUE(token.cancel_requested());
  EXPECT_EQ(token.Uncancel(), 0);
  EXPECT_FALSE(token.cancel_pending());
  EXPECT_FALSE(token.cancel_requested());
}

TEST(CancelTokenTest, WakesTheSuspendedOperationWithTheMessage) {  // semantics 8
  ManualExecutor executor;
  Waiting waiting(executor);
  waiting.token.Cancel("enough");
  EXPECT_FALSE(waiting.outcome.has_value()) << "the cancelled code must not run inside Cancel";
  executor.RunUntilIdle();
  EXPECT_EQ(waiting.outcome, absl::CancelledError("enough"));
  EXPECT_FALSE(waiting.token.cancel_pending()) << "delivered once";
  EXPECT_EQ(waiting.token.cancelling(), 1);
}

TEST(CancelTokenTest, TwoCancelsBeforeTheWaiterRunsAreDeliveredOnce) {
  ManualExecutor executor;
  Waiting waiting(executor);
  waiting.token.Cancel("first");
  waiting.token.Cancel("second");
  executor.RunUntilIdle();
  EXPECT_EQ(waiting.outcome, absl::CancelledError("first"));
  EXPECT_FALSE(waiting.token.cancel_pending());
  EXPECT_EQ(waiting.token.cancelling(), 2);
}

TEST(CancelTokenTest, UncancelDoesNotWithdrawACancelThatHasWokenItsOperation) {
  ManualExecutor executor;
  Waiting waiting(executor);
  waiting.token.Cancel("gone out");
  EXPECT_EQ(waiting.token.Uncancel(), 0);
  executor.RunUntilIdle();
  EXPECT_EQ(waiting.outcome, absl::CancelledError("gone out"));
}

TEST(CancelTokenTest, ACancelBetweenWakeUpAndResumptionTakesTheResultsPlace) {
  ManualExecutor executor;
  Waiting waiting(executor);
  waiting.event.Set();
  waiting.token.Cancel("late");
  EXPECT_TRUE(waiting.token.cancel_pending());
  executor.RunUntilIdle();
  EXPECT_EQ(waiting.outcome, absl::CancelledError("late"));
  EXPECT_FALSE(waiting.token.cancel_pending());
}

TEST(CancelTokenTest, UncancelWithdrawsACancelThatCameAfterTheWakeUp) {  // semantics 10
  ManualExecutor executor;
  Waiting waiting(executor);
  waiting.event.Set();
  waiting.token.Cancel("late");
  waiting.token.Uncancel();
  executor.RunUntilIdle();
  EXPECT_EQ(waiting.outcome, absl::OkStatus());
}

Task<void> CancelThenWait(std::vector<absl::Status>& outcomes) {
  CancelToken token;
  Event set;
  set.Set();
  Event unset;
  token.Cancel("pending");
  outcomes.push_back(co_await set.Wait(token));  // completes without suspending: does not deliver
  outcomes.push_back(co_await unset.Wait(token));
  outcomes.push_back(co_await Yield(token));  // delivered once: goes on
  token.Cancel("again");
  outcomes.push_back(co_await Sleep(token, std::chrono::hours(1)));
  token.Cancel("taken back");
  token.Uncancel();
  token.Uncancel();
  token.Uncancel();
  outcomes.push_back(co_await Yield(token));  // semantics 10
}

TEST(CancelTokenTest, APendingCancelIsDeliveredByTheFirstOperationThatWouldSuspend) {
  ManualExecutor executor;
  std::vector<absl::Status> outcomes;
  const base::Instant before = executor.Now();
  executor.Run(CancelThenWait(outcomes));
  EXPECT_EQ(executor.Now(), before);
  EXPECT_EQ(outcomes, (std::vector<absl::Status>{absl::OkStatus(), absl::CancelledError("pending"), absl::OkStatus(),
                                                 absl::CancelledError("again"), absl::OkStatus()}));
}

class Recorder final : public CancelObserver {
 public:
  explicit Recorder(std::size_t leave_after) : leave_after_(leave_after) {}
  void OnCancel(CancelToken& token) override {
    messages.push_back(token.message());
    if (messages.size() == leave_after_) cancel_observer_hook.Unlink();
  }
  std::vector<std::string> messages;

 private:
  const std::size_t leave_after_;
};

TEST(CancelTokenTest, ObserversHearOfEachCancelUntilTheyLeave) {
  CancelToken token;
  Recorder leaves(2);
  Recorder stays(100);
  token.AddObserver(leaves);
  token.AddObserver(stays);
  for (const char* message : {"1", "2", "3"}) token.Cancel(message);
  EXPECT_EQ(leaves.messages, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(stays.messages, (std::vector<std::string>{"1", "2", "3"}));
}

// An operation that passes a cancel on and completes in its own time, as awaiting another task does.
class Forwarding final : public Suspension {
 public:
  Forwarding(CancelToken& token, Forwarding*& self) : Suspension(token), self_(self) {}
  bool await_ready() const { return false; }
  bool await_suspend(Continuation waiter) {
    self_ = this;
    return Suspend(waiter);
  }
  absl::Status await_resume() { return Resume(); }
  void Finish() { Wake(); }
  int forwarded = 0;

 private:
  CancelReply OnCancel() override {
    ++forwarded;
    return CancelReply::kForwarded;
  }
  Forwarding*& self_;
};

Task<absl::Status> AwaitForwarding(CancelToken& token, Forwarding*& self) {
  co_return co_await Forwarding(token, self);
}

TEST(CancelTokenTest, AForwardedCancelIsDeliveredAndTheResultIsTheOperationsOwn) {  // semantics 12, 58
  ManualExecutor executor;
  CancelToken token;
  Forwarding* operation = nullptr;
  std::optional<absl::Status> outcome;
  executor.Spawn(Keep(AwaitForwarding(token, operation), outcome));
  executor.RunUntilIdle();
  token.Cancel("inner");
  token.Cancel("inner again");
  executor.RunUntilIdle();
  EXPECT_FALSE(outcome.has_value());
  EXPECT_EQ(operation->forwarded, 2);
  EXPECT_FALSE(token.cancel_pending());
  operation->Finish();
  executor.RunUntilIdle();
  EXPECT_EQ(outcome, absl::OkStatus());
}

Task<void> TwoAtOnce(Event& event, CancelToken& token) {
  Scope scope;
  scope.Spawn([](Event& e, CancelToken& t) -> Task<absl::Status> { co_return co_await e.Wait(t); }(event, token));
  scope.Spawn([](Event& e, CancelToken& t) -> Task<absl::Status> { co_return co_await e.Wait(t); }(event, token));
  CancelToken own;
  const absl::Status joined = co_await scope.Join(own);
  EXPECT_TRUE(joined.ok());
}

TEST(CancelTokenDeathTest, TwoOperationsOnOneTokenAreABug) {
  EXPECT_DEATH(
      {
        ManualExecutor executor;
        Event event;
        CancelToken token;
        executor.Run(TwoAtOnce(event, token));
      },
      "two operations on one CancelToken");
}

}  // namespace

TEST(CancelTokenTest, WhatIsOnlyCountedWakesNothing) {  // semantics 9, 12
  CancelToken token;
  token.CountCancel("seen already");
  EXPECT_EQ(token.cancelling(), 1);
  EXPECT_TRUE(token.cancel_requested());
  EXPECT_EQ(token.message(), "seen already");
  EXPECT_FALSE(token.cancel_pending());
  EXPECT_TRUE(token.TakePending().ok());
  EXPECT_EQ(token.Uncancel(), 0);
  EXPECT_FALSE(token.cancel_requested());
}

}  // namespace muster::coro
