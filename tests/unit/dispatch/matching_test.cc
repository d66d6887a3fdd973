// Who is next, and where: rule by rule, then against a model that is too simple to be wrong.
#include "service/dispatch/matching.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace muster::dispatch {
namespace {

using values::FunctionKind;

core::StartJob JobOf(values::FunctionId function, uint64_t sequence, FunctionKind kind = FunctionKind::kBlocking) {
  core::StartJob start;
  start.id.sequence = sequence;
  start.function = function;
  start.kind = kind;
  return start;
}

// "job sequence > place", or "" for none.
std::string NextOf(const Matching& matching) {
  const auto next = matching.Next();
  return next.has_value() ? fmt::format("{} > {}", next->job->id().sequence, next->place) : "";
}

TEST(Matching, FirstComeFirstServedWhateverTheFunction) {
  Matching matching;
  const auto place = matching.AddPlace();
  for (values::FunctionId function : {1, 2}) matching.Serve(function, place);
  matching.Push(JobOf(2, 1));
  matching.Push(JobOf(1, 2));
  matching.Push(JobOf(2, 3));
  EXPECT_EQ(NextOf(matching), "");  // no room
  matching.SetRoom(place, 1);
  for (const char* next : {"1 > 0", "2 > 0", "3 > 0"}) {
    EXPECT_EQ(NextOf(matching), next);
    matching.Take(*matching.Next()->job);
  }
  EXPECT_EQ(NextOf(matching), "");
  EXPECT_TRUE(matching.empty());
}

TEST(Matching, AFullPlaceHoldsNobodyElseUp) {
  Matching matching;
  const auto full = matching.AddPlace();
  const auto other = matching.AddPlace();
  matching.Serve(1, full);
  matching.Serve(2, other);
  matching.Push(JobOf(1, 1));
  matching.Push(JobOf(2, 2));
  matching.SetRoom(other, 1);
  EXPECT_EQ(NextOf(matching), "2 > 1");
}

TEST(Matching, ThePlaceWithTheMostRoomIsTakenAndOfEqualsTheFirst) {
  Matching matching;
  for (int i = 0; i < 3; ++i) matching.Serve(1, matching.AddPlace());
  matching.Push(JobOf(1, 1));
  matching.SetRoom(1, 2);
  matching.SetRoom(2, 2);
  EXPECT_EQ(NextOf(matching), "1 > 1");
  matching.SetRoom(2, 3);
  EXPECT_EQ(NextOf(matching), "1 > 2");
}

TEST(Matching, AJobThatNobodyServesWaitsUntilSomebodyDoes) {
  Matching matching;
  const auto place = matching.AddPlace();
  matching.SetRoom(place, 9);
  matching.Push(JobOf(1, 1, FunctionKind::kAsync));
  matching.Push(JobOf(2, 2));
  EXPECT_EQ(NextOf(matching), "");
  EXPECT_FALSE(matching.Wants(place));
  EXPECT_EQ(matching.unserved(), 2u);
  EXPECT_EQ(matching.unserved(FunctionKind::kAsync), 1u);
  matching.Serve(2, place);
  EXPECT_EQ(NextOf(matching), "2 > 0");
  EXPECT_TRUE(matching.Wants(place));
  EXPECT_EQ(matching.unserved(), 1u);
  matching.Unserve(2);
  EXPECT_EQ(NextOf(matching), "");
  EXPECT_EQ(matching.unserved(FunctionKind::kBlocking), 1u);
  matching.Serve(1, place);
  EXPECT_EQ(NextOf(matching), "1 > 0");
}

TEST(Matching, WhatIsWithdrawnIsNotNextAndTheRestKeepsItsOrder) {
  Matching matching;
  const auto place = matching.AddPlace();
  matching.Serve(1, place);
  matching.SetRoom(place, 1);
  std::vector<ReadyJob*> jobs;
  for (uint64_t i = 1; i <= 4; ++i) jobs.push_back(&matching.Push(JobOf(1, i)));
  matching.Take(*jobs[0]);
  matching.Take(*jobs[2]);
  EXPECT_EQ(NextOf(matching), "2 > 0");
  matching.Take(*jobs[1]);
  EXPECT_EQ(NextOf(matching), "4 > 0");
}

// The same, a job a row: who came first is found by looking at all of them.
struct Model {
  struct Job {
    uint64_t sequence;
    values::FunctionId function;
    ReadyJob* real;
  };
  std::vector<Job> jobs;  // by arrival
  std::map<values::FunctionId, std::set<uint32_t>> served_by;
  std::vector<size_t> room;

  std::string Next() const {
    for (const Job& job : jobs) {
      const auto found = served_by.find(job.function);
      if (found == served_by.end()) continue;
      size_t most = 0;
      uint32_t best = 0;
      for (const uint32_t place : found->second) {
        if (room[place] > most) {
          most = room[place];
          best = place;
        }
      }
      if (most > 0) return fmt::format("{} > {}", job.sequence, best);
    }
    return "";
  }
  bool Wants(uint32_t place) const {
    return std::any_of(jobs.begin(), jobs.end(), [&](const Job& job) {
      const auto found = served_by.find(job.function);
      return found != served_by.end() && found->second.contains(place);
    });
  }
  size_t Unserved() const {
    return static_cast<size_t>(
        std::count_if(jobs.begin(), jobs.end(), [&](const Job& job) { return !served_by.contains(job.function); }));
  }
};

class Walk {
 public:
  explicit Walk(uint64_t seed) : random_(seed) {
    for (size_t i = 0; i < kPlaces; ++i) matching_.AddPlace();
    model_.room.resize(kPlaces);
  }
  // What each step led to, so that two walks can be compared.
  std::string Run(int steps) {
    std::string told;
    for (int i = 0; i < steps; ++i) {
      Step();
      const std::string next = NextOf(matching_);
      EXPECT_EQ(next, model_.Next());
      for (uint32_t place = 0; place < kPlaces; ++place) EXPECT_EQ(matching_.Wants(place), model_.Wants(place));
      EXPECT_EQ(matching_.size(), model_.jobs.size());
      EXPECT_EQ(matching_.unserved(), model_.Unserved());
      told += next + "\n";
    }
    return told;
  }

 private:
  static constexpr size_t kPlaces = 3;
  static constexpr uint32_t kFunctions = 5;

  uint32_t Pick(size_t below) { return static_cast<uint32_t>(random_() % below); }
  void Step() {
    const values::FunctionId function = Pick(kFunctions);
    const uint32_t place = Pick(kPlaces);
    switch (Pick(8)) {
      case 0:
        matching_.Serve(function, place);
        model_.served_by[function].insert(place);
        return;
      case 1:
        if (Pick(3) != 0) return;
        matching_.Unserve(function);
        model_.served_by.erase(function);
        return;
      case 2:
        model_.room[place] = Pick(3);
        return matching_.SetRoom(place, model_.room[place]);
      case 3:
        if (!model_.jobs.empty()) Remove(Pick(model_.jobs.size()));  // withdrawn
        return;
      case 4:
      case 5:
        return StartNext();
      default:
        ReadyJob& job = matching_.Push(JobOf(function, ++last_));
        model_.jobs.push_back({last_, function, &job});
        return;
    }
  }
  void StartNext() {
    const auto next = matching_.Next();
    if (!next.has_value()) return;
    matching_.SetRoom(next->place, --model_.room[next->place]);
    for (size_t i = 0; i < model_.jobs.size(); ++i) {
      if (model_.jobs[i].real == next->job) return Remove(i);
    }
  }
  void Remove(size_t at) {
    const uint64_t sequence = model_.jobs[at].sequence;
    EXPECT_EQ(matching_.Take(*model_.jobs[at].real)->id().sequence, sequence);
    model_.jobs.erase(model_.jobs.begin() + static_cast<ptrdiff_t>(at));
  }

  std::mt19937_64 random_;
  Matching matching_;
  Model model_;
  uint64_t last_ = 0;
};

TEST(Matching, DecidesAsTheModelDoesForEverySeed) {
  for (uint64_t seed = 0; seed < 10'000; ++seed) {
    Walk(seed).Run(40);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

TEST(Matching, EqualCallsGiveEqualDecisions) {
  for (uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(Walk(seed).Run(200), Walk(seed).Run(200));
}

}  // namespace
}  // namespace muster::dispatch
