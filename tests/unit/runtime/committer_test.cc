#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "service/executor/loop.h"
#include "service/runtime/journal/thread_committer.h"
#include "tests/support/gate.h"
#include "tests/support/gated_journal.h"

namespace muster::runtime {
namespace {

// Notes, in order, that it has come home.
struct NotedCommit final : Commit {
  NotedCommit(executor::Loop& loop, std::vector<std::string>& home, std::string n)
      : Commit([](coro::Runnable& self) { static_cast<NotedCommit&>(self).Note(); }, &loop),
        all(home),
        name(std::move(n)) {
    batch.Put(name, "value of " + name);
  }
  void Note() { all.push_back(name + (status.ok() ? "" : " lost")); }
  std::vector<std::string>& all;  // the loop's
  const std::string name;
};

class CommitterTest : public testing::Test {
 protected:
  CommitterTest() : journal_(disk_) {
    epoch_ = *journal_.TakeOver(1);
    Committer::Options options;
    options.on_commit = [this](base::Duration, size_t rows, size_t batches) {
      rows_ += rows;
      sizes_.push_back(batches);
    };
    options.on_failure = [this](const absl::Status&) { ++failures_; };
    committer_ = std::make_unique<ThreadCommitter>(journal_, epoch_, std::move(options));
  }
  ~CommitterTest() override {
    journal_.Open();
    committer_->StopBlocking();
    loop_.StopAndJoin();
  }
  // Blocks until the loop has run all that was posted to it.
  void Drain() {
    test::Gate gate;
    loop_.loop().Post([&gate] { gate.Open(); });
    gate.Wait();
  }
  std::unique_ptr<NotedCommit> Make(const std::string& name) {
    return std::make_unique<NotedCommit>(loop_.loop(), home_, name);
  }
  bool Has(const std::string& key) { return (*journal_.Get(key)).has_value(); }

  std::shared_ptr<store::MemoryStore> disk_ = std::make_shared<store::MemoryStore>();
  test::GatedJournal journal_;
  executor::LoopThread loop_{executor::Loop::Options{}};
  uint32_t epoch_ = 0;
  std::vector<std::string> home_;
  size_t rows_ = 0;
  std::vector<size_t> sizes_;
  std::atomic<int> failures_{0};
  std::unique_ptr<ThreadCommitter> committer_;
};

TEST_F(CommitterTest, WhatComesWhileOneIsUnderWayFormsTheNext) {
  auto a = Make("a"), b = Make("b"), c = Make("c");
  journal_.Close();
  committer_->Submit(*a);
  journal_.WaitForArrivals(1);
  committer_->Submit(*b);
  auto batch = std::make_unique<store::Batch>();
  batch->Put("nobody's", "");
  committer_->Write(std::move(batch));
  committer_->Submit(*c);
  EXPECT_FALSE(committer_->idle());
  EXPECT_FALSE(Has("a"));
  Drain();
  EXPECT_TRUE(home_.empty());
  journal_.Open();
  committer_->StopBlocking();
  Drain();
  EXPECT_TRUE(committer_->idle());
  EXPECT_EQ(home_, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(sizes_, (std::vector<size_t>{1, 3}));
  EXPECT_EQ(rows_, 4u);
  EXPECT_TRUE(Has("nobody's"));
}

TEST_F(CommitterTest, StoppingWritesWhatWasSubmitted) {
  auto a = Make("a"), b = Make("b");
  committer_->Submit(*a);
  committer_->Submit(*b);
  committer_->StopBlocking();
  committer_->StopBlocking();
  Drain();
  EXPECT_EQ(home_, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(Has("b"));
}

TEST_F(CommitterTest, AfterAFailureEverythingIsLostAndItIsSaidOnce) {
  auto a = Make("a"), b = Make("b"), c = Make("c"), d = Make("d");
  journal_.FailAfter(1);
  committer_->Submit(*a);
  while (!committer_->idle()) Drain();
  journal_.Close();
  committer_->Submit(*b);
  journal_.WaitForArrivals(1);
  committer_->Submit(*c);
  journal_.Open();
  while (!committer_->idle()) Drain();
  committer_->Submit(*d);
  committer_->StopBlocking();
  Drain();
  EXPECT_EQ(home_, (std::vector<std::string>{"a", "b lost", "c lost", "d lost"}));
  EXPECT_EQ(failures_.load(), 1);
  EXPECT_FALSE(Has("b"));
  EXPECT_FALSE(Has("d"));
}

TEST_F(CommitterTest, AnotherOwnerEndsIt) {
  ASSERT_TRUE(journal_.TakeOver(1).ok());
  auto a = Make("a");
  committer_->Submit(*a);
  committer_->StopBlocking();
  Drain();
  EXPECT_EQ(home_, (std::vector<std::string>{"a lost"}));
  EXPECT_TRUE(absl::IsFailedPrecondition(a->status));
  EXPECT_EQ(failures_.load(), 1);
}

}  // namespace
}  // namespace muster::runtime
