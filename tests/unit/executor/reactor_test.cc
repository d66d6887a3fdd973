#include "service/executor/reactor.h"

#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/coro/event.h"
#include "service/executor/sync_wait.h"
#include "tests/support/co_assert.h"

namespace muster::executor {
namespace {

using coro::CancelToken;
using coro::Event;
using coro::Task;
using WatchPtr = std::unique_ptr<Reactor::Watch>;

struct SocketPair {
  SocketPair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    ours = fds[0];
    theirs = fds[1];
  }
  ~SocketPair() {
    CloseTheirs();
    close(ours);
  }
  void CloseTheirs() {
    if (theirs >= 0) close(theirs);
    theirs = -1;
  }
  void Write(const std::string& text) const {
    EXPECT_EQ(write(theirs, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string Read(std::size_t size_max) const {
    std::string text(size_max, '\0');
    const ssize_t size = read(ours, text.data(), text.size());
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }
  int ours = -1;
  int theirs = -1;
};

class ReactorTest : public testing::Test {
 protected:
  // Runs a coroutine on the loop, where watches live.
  void Run(Task<void> task) { SyncWait(loop_.loop(), std::move(task)); }

  LoopThread loop_{Loop::Options{}};
  std::unique_ptr<Reactor> reactor_ = *Reactor::Create(Reactor::Options{});
};

Task<void> ReadInSteps(Reactor& reactor) {
  CancelToken token;
  SocketPair pair;
  Event all;
  std::string text;
  std::vector<Loop*> loops;
  Reactor::Callback on_ready = [&](unsigned ready) {
    EXPECT_TRUE(ready & Reactor::kReadable);
    text += pair.Read(2);  // less than there is: it must be reported again
    loops.push_back(Loop::Current());
    if (text.size() == 6) all.Set();
  };
  const WatchPtr watch = *reactor.Add(pair.ours, Reactor::kReadable, *coro::Executor::Current(), std::move(on_ready));
  pair.Write("abcdef");
  const absl::Status status = co_await all.Wait(token);
  CO_ASSERT_OK(status);
  EXPECT_EQ(text, "abcdef");
  EXPECT_EQ(loops, std::vector<Loop*>(3, Loop::Current()));
}

TEST_F(ReactorTest, ReportsOnTheHomeLoopUntilEverythingIsRead) { Run(ReadInSteps(*reactor_)); }

Task<void> ChangeInterest(Reactor& reactor) {
  CancelToken token;
  SocketPair pair;
  Event reported;
  unsigned last = 0;
  Reactor::Watch* armed = nullptr;
  Reactor::Callback on_ready = [&](unsigned ready) {
    last = ready;
    armed->SetInterest(Reactor::kNone);  // from within the callback
    reported.Set();
  };
  const WatchPtr watch = *reactor.Add(pair.ours, Reactor::kWritable, *coro::Executor::Current(), std::move(on_ready));
  armed = watch.get();
  absl::Status status = co_await reported.Wait(token);
  CO_ASSERT_OK(status);
  EXPECT_EQ(last, unsigned{Reactor::kWritable});
  reported.Clear();
  pair.Write("x");
  watch->SetInterest(Reactor::kReadable | Reactor::kWritable);
  status = co_await reported.Wait(token);
  CO_ASSERT_OK(status);
  EXPECT_EQ(last, unsigned{Reactor::kReadable | Reactor::kWritable});
  reported.Clear();
  pair.CloseTheirs();
  status = co_await reported.Wait(token);  // a hang-up is reported whatever the interest
  CO_ASSERT_OK(status);
  EXPECT_TRUE(last & Reactor::kError);
}

TEST_F(ReactorTest, InterestCanChangeAnywhereAndHangUpsAlwaysCome) { Run(ChangeInterest(*reactor_)); }

Task<void> DestroyInCallback(Reactor& reactor) {
  CancelToken token;
  SocketPair pair;
  Event reported;
  int reports = 0;
  WatchPtr watch;
  Reactor::Callback on_ready = [&](unsigned) {
    ++reports;
    watch.reset();
    reported.Set();
  };
  watch = *reactor.Add(pair.ours, Reactor::kReadable, *coro::Executor::Current(), std::move(on_ready));
  pair.Write("never read, so it would be reported for ever");
  const absl::Status status = co_await reported.Wait(token);
  CO_ASSERT_OK(status);
  EXPECT_EQ(watch, nullptr);
  EXPECT_EQ(reports, 1);
}

TEST_F(ReactorTest, ACallbackMayDestroyItsWatch) {
  Run(DestroyInCallback(*reactor_));
  EXPECT_EQ(reactor_->stats().watched, 0u);
}

Task<void> ManyShortWatches(Reactor& reactor) {
  CancelToken token;
  for (int round = 0; round < 300; ++round) {
    SocketPair quick;
    SocketPair slow;
    Event reported;
    Reactor::Callback on_slow = [&](unsigned) { slow.Read(100); };
    Reactor::Callback on_quick = [&](unsigned) {
      quick.Read(100);
      reported.Set();
    };
    WatchPtr slow_watch = *reactor.Add(slow.ours, Reactor::kReadable, *coro::Executor::Current(), std::move(on_slow));
    WatchPtr watch = *reactor.Add(quick.ours, Reactor::kReadable, *coro::Executor::Current(), std::move(on_quick));
    quick.Write("a");
    slow.Write("b");
    const absl::Status status = co_await reported.Wait(token);
    CO_ASSERT_OK(status);
    // slow_watch dies with its report somewhere between the kernel and its callback, and its fd is used again.
  }
}

TEST_F(ReactorTest, AReportUnderWayIsDroppedWithItsWatch) { Run(ManyShortWatches(*reactor_)); }

Task<void> BadWatches(Reactor& reactor) {
  SocketPair pair;
  auto first = reactor.Add(pair.ours, Reactor::kReadable, *coro::Executor::Current(), [](unsigned) {});
  CO_ASSERT_OK(first);
  auto twice = reactor.Add(pair.ours, Reactor::kReadable, *coro::Executor::Current(), [](unsigned) {});
  EXPECT_EQ(twice.status().code(), absl::StatusCode::kInvalidArgument);
  auto bad = reactor.Add(-1, Reactor::kReadable, *coro::Executor::Current(), [](unsigned) {});
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(reactor.stats().watched, 1u);
  co_return;
}

TEST_F(ReactorTest, RefusesWhatCannotBeWatched) { Run(BadWatches(*reactor_)); }

Task<void> TooMany(Reactor& reactor) {
  SocketPair a, b;
  auto first = reactor.Add(a.ours, Reactor::kReadable, *coro::Executor::Current(), [](unsigned) {});
  CO_ASSERT_OK(first);
  auto second = reactor.Add(b.ours, Reactor::kReadable, *coro::Executor::Current(), [](unsigned) {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kResourceExhausted);
  co_return;
}

TEST_F(ReactorTest, HasABound) {
  auto small = *Reactor::Create(Reactor::Options{.watches_max = 1});
  Run(TooMany(*small));
}

}  // namespace
}  // namespace muster::executor
