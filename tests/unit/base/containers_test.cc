#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/bounded_queue.h"
#include "service/base/function.h"
#include "service/base/intrusive_list.h"
#include "service/base/slab.h"
#include "service/base/status.h"
#include "service/base/thread.h"
#include "service/base/timer_queue.h"

namespace muster::base {
namespace {

struct Member {
  explicit Member(int n) : number(n) {}
  int number;
  ListHook hook;
};
using Members = IntrusiveList<Member, &Member::hook>;

std::vector<int> Numbers(const Members& list) {
  std::vector<int> numbers;
  for (const Member& member : list) numbers.push_back(member.number);
  return numbers;
}

TEST(IntrusiveListTest, KeepsOrderAndUnlinksAnywhere) {
  static_assert(sizeof(ListHook) == 16);
  Member a(1), b(2), c(3), d(4);
  Members list;
  list.PushBack(b);
  list.PushBack(c);
  list.PushFront(a);
  list.PushBack(d);
  EXPECT_EQ(Numbers(list), (std::vector<int>{1, 2, 3, 4}));
  b.hook.Unlink();
  b.hook.Unlink();
  d.hook.Unlink();
  EXPECT_EQ(Numbers(list), (std::vector<int>{1, 3}));
  EXPECT_EQ(list.PopFront(), &a);
  EXPECT_EQ(list.Front(), &c);
  EXPECT_EQ(list.Back(), &c);
}

TEST(IntrusiveListTest, AMemberThatDiesLeavesItsList) {
  Members list;
  Member stays(1);
  list.PushBack(stays);
  {
    Member goes(2);
    list.PushBack(goes);
  }
  EXPECT_EQ(Numbers(list), std::vector<int>{1});
}

TEST(IntrusiveListTest, AppendMovesEverything) {
  Member a(1), b(2), c(3);
  Members first;
  Members second;
  first.PushBack(a);
  second.PushBack(b);
  second.PushBack(c);
  first.Append(second);
  first.Append(second);
  EXPECT_TRUE(second.empty());
  EXPECT_EQ(Numbers(first), (std::vector<int>{1, 2, 3}));
}

TEST(IntrusiveListDeathTest, AHookIsInOneListAtATime) {
  Member a(1);
  Members first;
  Members second;
  first.PushBack(a);
  EXPECT_DEATH(second.PushBack(a), "one list at a time");
}

TEST(SlabTest, AddressesAreStableAndIndexesAreReused) {
  Slab<std::string, 4> slab;
  std::vector<std::uint32_t> indexes;
  for (int i = 0; i < 10; ++i) indexes.push_back(slab.Emplace(std::to_string(i)));
  const std::string* third = &slab[indexes[3]];
  for (int i = 10; i < 100; ++i) slab.Emplace(std::to_string(i));
  EXPECT_EQ(&slab[indexes[3]], third);
  EXPECT_EQ(*third, "3");
  slab.Erase(indexes[5]);
  EXPECT_EQ(slab.Find(indexes[5]), nullptr);
  EXPECT_EQ(slab.Find(100'000), nullptr);
  EXPECT_EQ(slab.Emplace("again"), indexes[5]);
  EXPECT_EQ(slab.size(), 100u);
}

TEST(SlabTest, ObjectsArePlacedWhereTheyWere) {
  Slab<std::string, 4> slab;
  // Out of order, the ends of a chunk, and with chunks 1, 3 and 4 left out.
  for (const std::uint32_t index : {9u, 0u, 22u, 3u, 8u}) slab.PlaceAt(index, std::to_string(index));
  const std::string* ninth = &slab[9];
  EXPECT_EQ(slab.size(), 5u);
  for (std::uint32_t index = 0; index < 30; ++index) {
    const bool placed = index == 0 || index == 3 || index == 8 || index == 9 || index == 22;
    ASSERT_EQ(slab.Contains(index), placed) << index;
    if (placed) {
      EXPECT_EQ(slab[index], std::to_string(index));
    }
  }
  slab.FinishPlacing();
  EXPECT_EQ(&slab[9], ninth);
}

TEST(SlabTest, WhatLiesBetweenIsFilledLowerOnesFirstAndNothingTwice) {
  Slab<int, 4> slab;
  for (const std::uint32_t index : {9u, 0u, 22u}) slab.PlaceAt(index, 1);
  slab.FinishPlacing();
  std::vector<std::uint32_t> taken;
  for (int i = 0; i < 40; ++i) taken.push_back(slab.Emplace(2));
  // First the holes of chunks that are there, then the chunks that were left out, then new ones.
  const std::vector<std::uint32_t> expected = {1,  2,  3,  8,  10, 11, 20, 21, 23, 4,  5,  6,  7,  12,
                                               13, 14, 15, 16, 17, 18, 19, 24, 25, 26, 27, 28, 29, 30,
                                               31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42};
  EXPECT_EQ(taken, expected);
  EXPECT_EQ(slab.size(), 43u);
  for (const std::uint32_t index : {9u, 0u, 22u}) EXPECT_EQ(slab[index], 1);
  slab.Erase(5);
  EXPECT_EQ(slab.Emplace(3), 5u);
}

TEST(SlabTest, PlacingNothingIsAnEmptySlab) {
  Slab<int, 4> slab;
  slab.FinishPlacing();
  EXPECT_TRUE(slab.empty());
  EXPECT_EQ(slab.Emplace(1), 0u);
}

// A restart must not cost the memory of all that ever was.
TEST(SlabTest, AFarPlaceIsReached) {
  Slab<int> slab;
  slab.PlaceAt((1u << 24) - 1, 7);
  slab.FinishPlacing();
  EXPECT_EQ(slab[(1u << 24) - 1], 7);
  EXPECT_EQ(slab.Find(0), nullptr);
  slab.Erase((1u << 24) - 1);
  EXPECT_EQ(slab.Emplace(1), (1u << 24) - 1);
  EXPECT_EQ(slab.Emplace(1), (1u << 24) - 1024);
  for (int i = 0; i < 1022; ++i) slab.Emplace(1);
  EXPECT_EQ(slab.Emplace(1), 0u) << "then what was left out, from the lowest";
}

TEST(SlabDeathTest, APlaceIsTakenOnce) {
  Slab<int> slab;
  slab.PlaceAt(3, 1);
  EXPECT_DEATH(slab.PlaceAt(3, 1), "the slot is taken: 3");
}

TEST(SlabDeathTest, ErasingTwiceIsABug) {
  Slab<int> slab;
  const auto index = slab.Emplace(1);
  slab.Erase(index);
  EXPECT_DEATH(slab.Erase(index), "no such slot");
}

TEST(TimerQueueTest, EqualDeadlinesFireInTheOrderTheyWereAdded) {
  TimerQueue queue;
  std::vector<std::unique_ptr<Timer>> timers;
  const Instant at(std::chrono::seconds(5));
  for (int i = 0; i < 50; ++i) queue.Add(*timers.emplace_back(std::make_unique<Timer>()), at);
  EXPECT_EQ(queue.PopDue(at - Duration(1)), nullptr);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(queue.PopDue(at), timers[i].get());
  EXPECT_EQ(queue.PopDue(at), nullptr);
}

TEST(TimerQueueTest, AgreesWithASortedListUnderRandomAddsAndRemoves) {
  std::mt19937 random(7);
  TimerQueue queue;
  struct Known {
    Instant deadline;
    int order;
    Timer* timer;
  };
  std::vector<std::unique_ptr<Timer>> timers;
  std::vector<Known> model;
  int order = 0;
  for (int i = 0; i < 200; ++i) timers.push_back(std::make_unique<Timer>());
  const auto least = [&] {
    return std::min_element(model.begin(), model.end(), [](const Known& a, const Known& b) {
      return a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order;
    });
  };
  for (int step = 0; step < 20'000; ++step) {
    Timer& timer = *timers[random() % timers.size()];
    if (!timer.armed()) {
      const Instant deadline(Duration(random() % 50));
      queue.Add(timer, deadline);
      model.push_back(Known{deadline, order++, &timer});
    } else if (random() % 2 == 0) {
      EXPECT_TRUE(queue.Remove(timer));
      std::erase_if(model, [&](const Known& known) { return known.timer == &timer; });
    }
    ASSERT_EQ(queue.NextDeadline(), model.empty() ? kNever : least()->deadline);
    if (random() % 4 == 0) {
      const Instant now(Duration(random() % 50));
      Timer* due = queue.PopDue(now);
      if (model.empty() || least()->deadline > now) {
        ASSERT_EQ(due, nullptr);
      } else {
        ASSERT_EQ(due, least()->timer);
        model.erase(least());
      }
    }
  }
  for (auto& timer : timers) queue.Remove(*timer);
  EXPECT_TRUE(queue.empty());
}

TEST(TimerQueueTest, NeverIsNeverDue) {
  TimerQueue queue;
  Timer timer;
  queue.Add(timer, kNever);
  EXPECT_EQ(queue.PopDue(kNever), nullptr);
  EXPECT_TRUE(queue.Remove(timer));
  EXPECT_FALSE(queue.Remove(timer));
}

TEST(TimerQueueDeathTest, AnArmedTimerMustNotDie) {
  EXPECT_DEATH(
      {
        TimerQueue queue;
        Timer timer;
        queue.Add(timer, kNever);
      },
      "died while it was armed");
}

TEST(UniqueFunctionTest, OwnsWhatItCallsSmallOrLarge) {
  UniqueFunction<int(int)> small = [owned = std::make_unique<int>(40)](int more) { return *owned + more; };
  char bytes[200] = {2};
  UniqueFunction<int(int)> large = [owned = std::make_unique<int>(1), bytes](int more) {
    return *owned + bytes[0] + more;
  };
  UniqueFunction<int(int)> moved = std::move(small);
  EXPECT_FALSE(small);  // NOLINT: moved from on purpose
  EXPECT_EQ(moved(2), 42);
  moved = std::move(large);
  EXPECT_EQ(moved(3), 6);
}

TEST(BoundedQueueTest, RefusesWhatDoesNotFitAndDrainsAfterClose) {
  BoundedQueue<std::unique_ptr<int>> queue(2);
  using Result = BoundedQueue<std::unique_ptr<int>>::PutResult;
  EXPECT_EQ(queue.TryPut(std::make_unique<int>(1)), Result::kOk);
  EXPECT_EQ(queue.TryPut(std::make_unique<int>(2)), Result::kOk);
  auto third = std::make_unique<int>(3);
  EXPECT_EQ(queue.TryPut(std::move(third)), Result::kFull);
  ASSERT_NE(third, nullptr);
  queue.Close();
  EXPECT_EQ(queue.TryPut(std::move(third)), Result::kClosed);
  EXPECT_FALSE(queue.PutBlocking(std::move(third)));
  EXPECT_EQ(**queue.TakeBlocking(), 1);
  EXPECT_EQ(**queue.TryTake(), 2);
  EXPECT_EQ(queue.TakeBlocking(), std::nullopt);
}

TEST(BoundedQueueTest, EveryItemArrivesOnceBetweenManyThreads) {
  constexpr int kEach = 2000;
  BoundedQueue<int> queue(16);
  Mutex mutex;
  std::vector<int> seen;
  {
    std::vector<Thread> takers;
    std::vector<Thread> putters;
    for (int t = 0; t < 3; ++t) {
      takers.emplace_back("taker", [&] {
        while (std::optional<int> item = queue.TakeBlocking()) {
          MutexLock lock(mutex);
          seen.push_back(*item);
        }
      });
      putters.emplace_back("putter", [&, t] {
        for (int i = 0; i < kEach; ++i) queue.PutBlocking(t * kEach + i);
      });
    }
    for (Thread& putter : putters) putter.Join();
    queue.Close();
  }
  std::sort(seen.begin(), seen.end());
  ASSERT_EQ(seen.size(), 3u * kEach);
  for (int i = 0; i < 3 * kEach; ++i) EXPECT_EQ(seen[i], i);
}

TEST(ThreadTest, CpuQuotaIsTheControlGroups) {
  EXPECT_EQ(CpuQuota("max 100000"), std::nullopt);
  EXPECT_EQ(CpuQuota("200000 100000"), 2);
  EXPECT_EQ(CpuQuota("150000 100000"), 2);
  EXPECT_EQ(CpuQuota("10000 100000"), 1);
  EXPECT_EQ(CpuQuota(""), std::nullopt);
  EXPECT_EQ(CpuQuota("0 0"), std::nullopt);
  EXPECT_GE(UsableCpuCount(), 1);
}

absl::Status Fail(bool fail) { return fail ? absl::NotFoundError("no") : absl::OkStatus(); }
absl::StatusOr<int> Number(bool fail) {
  MUSTER_RETURN_IF_ERROR(Fail(fail));
  return 7;
}
absl::StatusOr<std::string> Text(bool fail) {
  MUSTER_ASSIGN_OR_RETURN(const int number, Number(fail));
  MUSTER_RETURN_IF_ERROR(Number(fail));
  return std::to_string(number);
}

TEST(StatusMacrosTest, PassErrorsOnAndValuesThrough) {
  EXPECT_EQ(Text(false).value(), "7");
  EXPECT_EQ(Text(true).status(), absl::NotFoundError("no"));
}

TEST(CheckDeathTest, SaysWhatFailedAndWithWhichValues) {
  const int held = 3;
  EXPECT_DEATH(MUSTER_CHECK_LE(held, 2) << "permits", "check failed: .*held.* against 2\\) permits");
}

}  // namespace
}  // namespace muster::base
