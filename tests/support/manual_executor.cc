#include "tests/support/manual_executor.h"

#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

namespace muster::test {
namespace {

std::uint64_t ChooseSeed() {
  if (const char* text = std::getenv("MUSTER_TEST_SEED")) return std::strtoull(text, nullptr, 10);
  return std::random_device()();
}

}  // namespace

ManualExecutor::ManualExecutor(ReadyOrder order) : order_(order), seed_(ChooseSeed()), random_(seed_) {
  scope_.emplace(coro::Scope::OnError::kKeepGoing);
}

ManualExecutor::~ManualExecutor() {
  RunUntilIdle();
  if (scope_->live() != 0) {
    // The frames still refer to each other: report instead of taking the process down with a CHECK.
    ADD_FAILURE() << scope_->live() << " tasks live on in an executor that dies";
    std::fprintf(stderr, "MUSTER_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    std::abort();
  }
  if (testing::Test::HasFailure()) {
    std::fprintf(stderr, "to repeat: MUSTER_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }
}

void ManualExecutor::Post(coro::RunnableList list) {
  base::MutexLock lock(mutex_);
  inbox_.Append(std::move(list));
}

void ManualExecutor::Spawn(coro::Task<void> task) {
  const CurrentScope current(*this);
  scope_->Spawn(std::move(task));
}

void ManualExecutor::TakeInbox() {
  base::MutexLock lock(mutex_);
  ready_.Append(std::move(inbox_));
}

void ManualExecutor::RunUntilIdle() {
  const CurrentScope current(*this);
  for (;;) {
    TakeInbox();
    if (order_ == ReadyOrder::kInOrder) {
      if (ready_.empty()) ready_.Append(std::move(next_turn_));
      if (coro::Runnable* runnable = ready_.PopFront()) {
        runnable->Run();
        continue;
      }
    } else {
      while (coro::Runnable* runnable = ready_.PopFront()) batch_.push_back(runnable);
      if (batch_.empty()) {
        while (coro::Runnable* runnable = next_turn_.PopFront()) batch_.push_back(runnable);
      }
      if (!batch_.empty()) {
        std::swap(batch_[random_() % batch_.size()], batch_.back());
        coro::Runnable* runnable = batch_.back();
        batch_.pop_back();
        runnable->Run();
        continue;
      }
    }
    if (!FireOne(clock_.Now())) return;
  }
}

bool ManualExecutor::FireOne(base::Instant limit) {
  if (timers_.empty() || timers_.NextDeadline() > limit || timers_.NextDeadline() == base::kNever) return false;
  const CurrentScope current(*this);
  clock_.AdvanceTo(timers_.NextDeadline());
  static_cast<coro::Timer*>(timers_.PopDue(clock_.Now()))->Fire();
  return true;
}

void ManualExecutor::Advance(base::Duration by) {
  const base::Instant end = clock_.Now() + by;
  do {
    RunUntilIdle();
  } while (FireOne(end));
  clock_.AdvanceTo(end);
  RunUntilIdle();
}

void ManualExecutor::RunUntilDone() {
  RunUntilIdle();
  while (scope_->live() != 0) {
    if (!FireOne(base::kNever)) {
      ADD_FAILURE() << scope_->live() << " tasks wait for something that nobody will do";
      std::fprintf(stderr, "MUSTER_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
      std::abort();
    }
    RunUntilIdle();
  }
}

}  // namespace muster::test
