#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/coro/channel.h"
#include "service/coro/completion.h"
#include "service/coro/event.h"
#include "service/coro/semaphore.h"
#include "service/coro/sleep.h"
#include "tests/support/manual_executor.h"

namespace muster::coro {
namespace {

using std::chrono::seconds;
using test::ManualExecutor;
using test::ReadyOrder;

Task<void> WaitAndNote(Event& event, CancelToken& token, int& woken) {
  const absl::Status status = co_await event.Wait(token);
  woken += status.ok() ? 1 : 100;
}

TEST(EventTest, SetWakesAllWhoWaitNowEvenIfClearedAtOnce) {  // semantics 75
  ManualExecutor executor;
  Event event;
  CancelToken tokens[4];
  int woken = 0;
  for (int i = 0; i < 3; ++i) executor.Spawn(WaitAndNote(event, tokens[i], woken));
  executor.RunUntilIdle();
  event.Set();
  event.Clear();
  executor.Spawn(WaitAndNote(event, tokens[3], woken));
  executor.RunUntilIdle();
  EXPECT_EQ(woken, 3);
  event.Set();
  executor.RunUntilIdle();
  EXPECT_EQ(woken, 4);
}

Task<void> AcquireAndNote(Semaphore& semaphore, CancelToken& token, int number, std::vector<int>& log) {
  const absl::Status status = co_await semaphore.Acquire(token);
  log.push_back(status.ok() ? number : -number);
}

TEST(SemaphoreTest, IsFirstComeFirstServed) {  // semantics 81
  ManualExecutor executor(ReadyOrder::kInOrder);
  Semaphore semaphore(0);  // semantics 80
  CancelToken tokens[4];
  std::vector<int> log;
  for (int i = 1; i <= 3; ++i) executor.Spawn(AcquireAndNote(semaphore, tokens[i], i, log));
  executor.RunUntilIdle();
  EXPECT_TRUE(log.empty());
  semaphore.Release();
  EXPECT_FALSE(semaphore.TryAcquire()) << "the permit is the first waiter's already";
  executor.RunUntilIdle();
  EXPECT_EQ(log, std::vector<int>{1});
  semaphore.Release();
  semaphore.Release();
  executor.RunUntilIdle();
  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
}

TEST(SemaphoreTest, ACancelledWaiterLosesNoPermit) {  // semantics 81
  ManualExecutor executor;
  Semaphore semaphore(0);
  CancelToken tokens[4];
  std::vector<int> log;
  for (int i = 1; i <= 3; ++i) {
    executor.Spawn(AcquireAndNote(semaphore, tokens[i], i, log));
    executor.RunUntilIdle();
  }
  tokens[2].Cancel();
  executor.RunUntilIdle();
  EXPECT_EQ(log, std::vector<int>{-2});
  semaphore.Release();
  tokens[1].Cancel();  // after its wake-up: the permit goes on to 3
  executor.RunUntilIdle();
  EXPECT_EQ(log, (std::vector<int>{-2, -1, 3}));
  EXPECT_EQ(semaphore.permits(), 0);
  semaphore.Release();
  EXPECT_EQ(semaphore.permits(), 1);
}

TEST(SemaphoreTest, TheLastCancelledWaiterLeavesThePermitBehind) {
  ManualExecutor executor;
  Semaphore semaphore(0);
  CancelToken token;
  std::vector<int> log;
  executor.Spawn(AcquireAndNote(semaphore, token, 1, log));
  executor.RunUntilIdle();
  semaphore.Release();
  token.Cancel();
  executor.RunUntilIdle();
  EXPECT_EQ(log, std::vector<int>{-1});
  EXPECT_TRUE(semaphore.TryAcquire());
}

TEST(SemaphoreTest, BoundedRefusesAReleaseTooMany) {  // semantics 82
  BoundedSemaphore semaphore(1);
  EXPECT_EQ(semaphore.Release().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(semaphore.TryAcquire());
  EXPECT_TRUE(semaphore.Release().ok());
  EXPECT_FALSE(semaphore.Release().ok());
  EXPECT_EQ(semaphore.permits(), 1);
}

TEST(SemaphoreDeathTest, NegativeIsABug) {  // semantics 80
  EXPECT_DEATH(Semaphore(-1), "never negative");
}

Task<void> SleepAndNote(base::Duration duration, CancelToken& token, std::vector<base::Instant>& log) {
  const absl::Status status = co_await Sleep(token, duration);
  log.push_back(status.ok() ? Executor::Current()->Now() : base::Instant());
}

TEST(SleepTest, WakesAtItsDeadlineExactly) {
  ManualExecutor executor;
  CancelToken tokens[3];
  std::vector<base::Instant> log;
  const base::Instant start = executor.Now();
  executor.Spawn(SleepAndNote(seconds(3), tokens[0], log));
  executor.Spawn(SleepAndNote(seconds(1), tokens[1], log));
  executor.Spawn(SleepAndNote(base::Duration::max(), tokens[2], log));
  executor.Advance(seconds(2));
  EXPECT_EQ(log, std::vector<base::Instant>{start + seconds(1)});
  executor.Advance(seconds(2));
  EXPECT_EQ(log, (std::vector<base::Instant>{start + seconds(1), start + seconds(3)}));
  tokens[2].Cancel();
  executor.RunUntilIdle();
  EXPECT_EQ(log.size(), 3u);
}

Task<void> SleepZero(CancelToken& token, std::vector<int>& log, int number) {
  log.push_back(number);
  const absl::Status status = co_await Sleep(token, base::Duration::zero());
  log.push_back(number);
  EXPECT_TRUE(status.ok());
}

TEST(SleepTest, ASleepOfZeroLetsTheOthersRun) {
  ManualExecutor executor(ReadyOrder::kInOrder);
  CancelToken a, b;
  std::vector<int> log;
  executor.Spawn(SleepZero(a, log, 1));
  executor.Spawn(SleepZero(b, log, 2));
  executor.RunUntilDone();
  EXPECT_EQ(log, (std::vector<int>{1, 2, 1, 2}));
}

Task<void> AwaitCompletion(Completion& completion, bool& done) {
  co_await completion;
  done = true;
}

TEST(CompletionTest, CompletesBeforeOrAfterTheAwait) {
  ManualExecutor executor;
  Completion early;
  Completion late;
  bool early_done = false;
  bool late_done = false;
  early.Complete();
  executor.Spawn(AwaitCompletion(early, early_done));
  executor.Spawn(AwaitCompletion(late, late_done));
  executor.RunUntilIdle();
  EXPECT_TRUE(early_done);
  EXPECT_FALSE(late_done);
  late.Complete();
  EXPECT_FALSE(late_done);
  executor.RunUntilIdle();
  EXPECT_TRUE(late_done);
}

using Items = Channel<std::unique_ptr<int>>;

Task<void> SendMany(Items& channel, CancelToken& token, int count) {
  for (int i = 0; i < count; ++i) {
    auto item = std::make_unique<int>(i);
    const absl::Status status = co_await channel.Send(token, std::move(item));
    CO_ASSERT_OK(status);
    CO_ASSERT_LE(channel.size(), channel.capacity());
  }
  channel.Close();
}

Task<void> ReceiveAll(Items& channel, CancelToken& token, std::vector<int>& log) {
  for (;;) {
    std::optional<std::unique_ptr<int>> item;
    const absl::Status status = co_await channel.Receive(token, item);
    if (!status.ok() || !item.has_value()) break;
    log.push_back(**item);
  }
}

TEST(ChannelTest, EveryItemArrivesInOrderThenTheEnd) {
  ManualExecutor executor;
  Items channel(3);
  CancelToken sender, receiver;
  std::vector<int> log;
  executor.Spawn(SendMany(channel, sender, 100));
  executor.Spawn(ReceiveAll(channel, receiver, log));
  executor.RunUntilDone();
  ASSERT_EQ(log.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(log[i], i);
}

TEST(ChannelTest, ACancelledReceiveLosesNoItem) {  // semantics 87
  ManualExecutor executor;
  Items channel(3);
  CancelToken first, second;
  std::vector<int> log_first, log_second;
  executor.Spawn(ReceiveAll(channel, first, log_first));
  executor.RunUntilIdle();
  EXPECT_TRUE(channel.TrySend(std::make_unique<int>(7)));
  first.Cancel();
  executor.RunUntilIdle();
  EXPECT_TRUE(log_first.empty());
  channel.Close();
  executor.Spawn(ReceiveAll(channel, second, log_second));
  executor.RunUntilDone();
  EXPECT_EQ(log_second, std::vector<int>{7});
}

Task<void> SendOne(Items& channel, CancelToken& token, std::vector<absl::StatusCode>& log) {
  auto item = std::make_unique<int>(1);
  const absl::Status status = co_await channel.Send(token, std::move(item));
  log.push_back(status.code());
}

TEST(ChannelTest, CloseReleasesEverybodyWhoWaits) {
  ManualExecutor executor;
  Items channel(1);
  CancelToken tokens[5];
  std::vector<absl::StatusCode> sent;
  for (int i = 0; i < 3; ++i) executor.Spawn(SendOne(channel, tokens[i], sent));
  executor.RunUntilIdle();
  EXPECT_EQ(sent.size(), 1u);
  channel.Close();
  executor.RunUntilIdle();
  EXPECT_EQ(sent, (std::vector<absl::StatusCode>{absl::StatusCode::kOk, absl::StatusCode::kFailedPrecondition,
                                                 absl::StatusCode::kFailedPrecondition}));
  std::vector<int> first, second;
  executor.Spawn(ReceiveAll(channel, tokens[3], first));
  executor.Spawn(ReceiveAll(channel, tokens[4], second));
  executor.RunUntilDone();
  EXPECT_EQ(first.size() + second.size(), 1u);
}

}  // namespace
}  // namespace muster::coro
