// Random histories of a promise: those of a true server are accepted, and of those that were tampered with exactly the
// ones are refused for which trying every order finds none. The server and the trying share no code with the checker.
#include <algorithm>
#include <optional>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/linearizability/checker.h"

namespace muster::linearizability {
namespace {

// One promise as a server would hold it, one operation at a time.
struct Server {
  std::optional<std::string> spec;
  std::optional<std::string> outcome;
  std::string winner;

  std::pair<Reply, std::string> Do(const Operation& operation) {
    switch (operation.call) {
      case Call::kSubmit:
        if (!spec) {
          spec = operation.argument;
          return {Reply::kCreated, "id"};
        }
        if (*spec != operation.argument) return {Reply::kReused, ""};
        return {Reply::kRepeated, "id"};
      case Call::kSettle:
        if (!spec) return {Reply::kMissing, ""};
        if (outcome && !operation.request_id.empty() && winner == operation.request_id) return {Reply::kSettled, ""};
        if (outcome) return {Reply::kAlreadyDone, ""};
        outcome = operation.argument;
        winner = operation.request_id;
        return {Reply::kSettled, ""};
      case Call::kCancel:
        if (!spec) return {Reply::kMissing, ""};
        if (outcome) return {Reply::kAlreadyDone, ""};
        outcome = operation.argument;
        return {Reply::kCancelled, ""};
      case Call::kRead:
        if (!spec) return {Reply::kMissing, ""};
        if (!outcome) return {Reply::kPending, ""};
        return {Reply::kDone, *outcome};
    }
    return {};
  }
};

// Every order that time allows, every choice of what became of the lost.
bool TryEveryOrder(const std::vector<Operation>& history, std::vector<bool>& used, size_t count, const Server& server) {
  if (count == history.size()) return true;
  Instant first_answer = kNever;
  for (size_t at = 0; at < history.size(); ++at) {
    if (!used[at]) first_answer = std::min(first_answer, history[at].responded);
  }
  for (size_t at = 0; at < history.size(); ++at) {
    if (used[at] || history[at].invoked > first_answer) continue;
    const Operation& operation = history[at];
    used[at] = true;
    Server next = server;
    const auto answer = next.Do(operation);
    const bool lost = operation.reply == Reply::kLost;
    const bool fits = lost || answer == std::pair(operation.reply, operation.result);
    const bool found = (fits && TryEveryOrder(history, used, count + 1, next)) ||
                       (lost && TryEveryOrder(history, used, count + 1, server));
    used[at] = false;
    if (found) return true;
  }
  return false;
}

bool TryEveryOrder(const std::vector<Operation>& history) {
  std::vector<bool> used(history.size());
  return TryEveryOrder(history, used, 0, Server());
}

class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  int Below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }

 private:
  std::mt19937_64 engine_;
};

Operation RandomOperation(Dice& dice) {
  Operation operation{.key = "f"};
  switch (dice.Below(6)) {
    case 0:
    case 1:
      operation.call = Call::kSubmit;
      operation.argument = dice.Below(4) == 0 ? "t" : "s";
      break;
    case 2:
      operation.call = Call::kSettle;
      operation.argument = dice.Below(2) == 0 ? "a" : "b";
      // As clients do it: a request id stands for one value.
      if (dice.Below(2) == 0) operation.request_id = "r" + operation.argument;
      break;
    case 3:
      operation.call = Call::kCancel;
      operation.argument = "c";
      break;
    default:
      operation.call = Call::kRead;
  }
  return operation;
}

// What a true server answers to clients that overlap: each operation takes effect at one instant of its interval.
std::vector<Operation> RandomHistory(Dice& dice, int size, int overlap) {
  struct Point {
    int at;
    Operation operation;
  };
  std::vector<Point> points;
  for (int count = 0; count < size; ++count) {
    Point point{dice.Below(size * 10), RandomOperation(dice)};
    point.operation.client = count;
    point.operation.invoked = point.at - dice.Below(overlap);
    point.operation.responded = point.at + dice.Below(overlap);
    points.push_back(point);
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return std::pair(a.at, a.operation.client) < std::pair(b.at, b.operation.client);
  });
  Server server;
  std::vector<Operation> history;
  for (Point& point : points) {
    const bool lost = dice.Below(8) == 0;
    if (!lost || dice.Below(2) == 0) {
      std::tie(point.operation.reply, point.operation.result) = server.Do(point.operation);
    }
    if (lost) {
      point.operation.reply = Reply::kLost;
      point.operation.result.clear();
      if (dice.Below(2) == 0) point.operation.responded = kNever;
    }
    history.push_back(point.operation);
  }
  return history;
}

void Tamper(Dice& dice, std::vector<Operation>& history) {
  Operation& operation = history[dice.Below(static_cast<int>(history.size()))];
  switch (dice.Below(4)) {
    case 0:
      operation.reply = static_cast<Reply>(dice.Below(static_cast<int>(Reply::kMissing) + 1));
      operation.result = operation.reply == Reply::kCreated || operation.reply == Reply::kRepeated ? "id"
                         : operation.reply == Reply::kDone                                         ? "a"
                                                                                                   : "";
      break;
    case 1:
      if (operation.reply == Reply::kDone) operation.result = operation.result == "a" ? "b" : "a";
      break;
    case 2:
      operation.invoked -= 5;
      if (operation.responded != kNever) operation.responded = operation.invoked + 1;
      break;
    default:
      operation.argument = operation.argument == "a" ? "b" : "a";
  }
}

TEST(LinearizabilityRandom, HistoriesOfATrueServerAreAccepted) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Dice dice(seed);
    const Verdict verdict = Check(RandomHistory(dice, 40, 1 + dice.Below(60)));
    ASSERT_TRUE(verdict.ok()) << "seed " << seed << "\n" << verdict.explanation;
  }
}

TEST(LinearizabilityRandom, TheVerdictIsThatOfTryingEveryOrder) {
  int refused = 0, accepted = 0;
  for (uint64_t seed = 1; seed <= 6000; ++seed) {
    Dice dice(seed);
    std::vector<Operation> history = RandomHistory(dice, 2 + dice.Below(6), 1 + dice.Below(30));
    for (int times = dice.Below(3); times > 0; --times) Tamper(dice, history);
    const bool expected = TryEveryOrder(history);
    const Verdict verdict = Check(history);
    ++(expected ? accepted : refused);
    ASSERT_EQ(verdict.ok(), expected) << "seed " << seed << "\n" << verdict.explanation;
  }
  EXPECT_GT(refused, 500);
  EXPECT_GT(accepted, 500);
}

}  // namespace
}  // namespace muster::linearizability
