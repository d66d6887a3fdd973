#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

class CallTest : public CoreTest {
 protected:
  Submit CallOf(FutureSpec spec, bool drop = true) {
    Submit command = Command(std::move(spec));
    command.attach = true;
    command.drop_when_delivered = drop;
    return command;
  }
};

TEST_F(CallTest, ACallIsAnsweredAndDropped) {
  const Submitted answer = Answer(CallOf(JobOf(FunctionKind::kAsync)));
  EXPECT_EQ(shard.Ask(core::GetStats()).calls, 1u);
  End(answer.id, Text("result"));
  EXPECT_EQ(calls.at(answer.token).outcome->value.body(), "result");
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_FALSE(dropped[0].unretrieved);
  EXPECT_EQ(WhyNot(answer.id), base::Reason::kFutureExpired);
  EXPECT_EQ(shard.Ask(core::GetStats()).calls, 0u);
  EXPECT_EQ(bytes, 0);
}

TEST_F(CallTest, ACallWithoutDropKeepsItsFuture) {
  const Submitted answer = Answer(CallOf(JobOf(FunctionKind::kAsync), false));
  End(answer.id, Text("result"));
  EXPECT_EQ(ValueOf(answer.id), "result");
}

TEST_F(CallTest, ACallOfWhatIsDoneAtOnceIsAnsweredInOrder) {  // semantics 21
  Submit command = CallOf(GatherSpec{});
  out.clear();
  shard.Apply(std::move(command), now, out);
  std::vector<size_t> kinds;
  for (const Effect& effect : out) {
    if (std::holds_alternative<Submitted>(effect) || std::holds_alternative<CallEnded>(effect)) {
      kinds.push_back(effect.index());
    }
  }
  EXPECT_THAT(kinds, ElementsAre(Effect(Submitted()).index(), Effect(CallEnded()).index()));
  EXPECT_TRUE(std::holds_alternative<Dropped>(out.back()));
}

TEST_F(CallTest, AnAbandonedCallRunsOnAndIsKeptAWhile) {  // semantics 98
  const Submitted answer = Answer(CallOf(JobOf(FunctionKind::kAsync)));
  Start(answer.id);
  Leave(answer.token);
  EXPECT_EQ(shard.Ask(core::GetStats()).calls, 0u);
  EXPECT_EQ(StateOf(answer.id), State::kRunning);
  EXPECT_EQ(Get(answer.id).cancelling, 0u);
  End(answer.id, Text("kept"));
  EXPECT_EQ(calls.count(answer.token), 0u);
  Advance(seconds(59));
  EXPECT_EQ(ValueOf(answer.id), "kept");
  Advance(seconds(1));
  EXPECT_EQ(WhyNot(answer.id), base::Reason::kFutureExpired);
}

TEST_F(CallTest, AWaitPinsWhatACallWouldDrop) {
  const Submitted answer = Answer(CallOf(JobOf(FunctionKind::kAsync)));
  const FutureId other = Promise();
  const Token wait = Wait({answer.id, other});
  End(answer.id, Text("result"));
  EXPECT_EQ(StateOf(answer.id), State::kSucceeded);
  Settle(other, Text(""));
  EXPECT_TRUE(Ended(wait));
  EXPECT_EQ(WhyNot(answer.id), base::Reason::kFutureExpired);
}

TEST_F(CallTest, ACalledCombinatorIsAnsweredToo) {
  const FutureId a = Promise();
  GatherSpec spec;
  spec.members = {a};
  const Submitted answer = Answer(CallOf(spec));
  Settle(a, Text("1"));
  EXPECT_EQ(calls.at(answer.token).outcome->gathered.size(), 1u);
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

}  // namespace
}  // namespace muster::core
