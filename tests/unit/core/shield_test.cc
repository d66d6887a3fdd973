#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

TEST_F(CoreTest, AShieldPassesTheOutcomeOn) {
  const FutureId a = Promise(), b = Promise();
  const FutureId good = Shield(a), bad = Shield(b);
  Settle(a, Text("1"));
  Settle(b, Raised("Oops"));
  EXPECT_EQ(ValueOf(good), "1");
  EXPECT_EQ(ErrorOf(bad).type, "Oops");
  EXPECT_EQ(ErrorOf(bad).origin, b);
  EXPECT_THAT(Get(good).members, ElementsAre(a));
}

TEST_F(CoreTest, CancellingAShieldLeavesTheInnerRunning) {  // semantics 53
  const FutureId inner = Running();
  const FutureId shield = Shield(inner);
  EXPECT_EQ(CancelOne(shield, "mine"), CancelEffect::kCancelled);
  EXPECT_EQ(StateOf(shield), State::kCancelled);
  EXPECT_EQ(StateOf(inner), State::kRunning);
  EXPECT_EQ(Get(inner).cancelling, 0u);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

TEST_F(CoreTest, AShieldOfACancelledInnerIsCancelled) {  // semantics 54
  const FutureId inner = Promise();
  const FutureId shield = Shield(inner);
  CancelOne(inner, "not mine");
  EXPECT_EQ(StateOf(shield), State::kCancelled);
  EXPECT_EQ(ErrorOf(shield).message, "") << "as in CPython: the outer is cancelled without a word";
  EXPECT_EQ(ErrorOf(shield).origin, inner);
}

TEST_F(CoreTest, AShieldOfAGatherThatRaisesCancelledFails) {  // semantics 48, 54
  const FutureId inner = Promise();
  const FutureId shield = Shield(Gather({inner}));
  CancelOne(inner);
  EXPECT_EQ(StateOf(shield), State::kFailed);
  EXPECT_EQ(ErrorOf(shield).kind, ErrorKind::kCancelled);
}

TEST_F(CoreTest, AShieldOfWhatIsDoneIsTheInnerItself) {  // semantics 55
  const FutureId inner = Promise();
  Settle(inner, Text("1"));
  ShieldSpec spec;
  spec.inner = inner;
  Submit command = Command(spec);
  command.attach = true;
  command.drop_when_delivered = true;
  const Submitted answer = Answer(std::move(command));
  EXPECT_EQ(answer.id, inner);
  EXPECT_EQ(answer.state, State::kSucceeded);
  EXPECT_EQ(calls.at(answer.token).outcome->value.body(), "1");
  EXPECT_EQ(StateOf(inner), State::kSucceeded) << "what is not the shield's is not dropped";
  EXPECT_EQ(shard.Ask(core::GetStats()).futures, 1u);
}

TEST_F(CoreTest, AShieldKeepsItsInnersOutcomeByItself) {  // semantics 100
  const FutureId inner = Promise();
  const FutureId shield = Shield(inner);
  Settle(inner, Text("1"));
  EXPECT_TRUE(test::Delete(shard, kNs, inner, now, out).ok());
  EXPECT_EQ(ValueOf(shield), "1");
  out.clear();
}

}  // namespace
}  // namespace muster::core
