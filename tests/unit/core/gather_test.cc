#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

std::vector<std::string> Values(const OutcomeRef& outcome) {
  std::vector<std::string> values;
  for (const OutcomeRef& part : outcome->gathered) {
    if (part->kind == Outcome::Kind::kValue) values.push_back(part->value.body());
    if (part->kind == Outcome::Kind::kError) values.push_back("error:" + part->error->type);
    if (part->kind == Outcome::Kind::kCancelled) values.push_back("cancelled:" + part->error->message);
    if (part->kind == Outcome::Kind::kGathered) values.push_back("[]");
  }
  return values;
}

TEST_F(CoreTest, AnEmptyGatherIsDoneAtOnce) {  // semantics 43, 21
  const Submitted answer = Answer(Command(GatherSpec{}));
  EXPECT_EQ(answer.state, State::kSucceeded);
  EXPECT_EQ(Get(answer.id).outcome->kind, Outcome::Kind::kGathered);
  EXPECT_THAT(Get(answer.id).outcome->gathered, IsEmpty());
}

TEST_F(CoreTest, ResultsComeInInputOrder) {  // semantics 44
  const FutureId a = Promise(), b = Promise(), c = Promise();
  const FutureId gather = Gather({a, b, c});
  Settle(c, Text("3"));
  Settle(a, Text("1"));
  EXPECT_EQ(StateOf(gather), State::kPending);
  Settle(b, Text("2"));
  EXPECT_EQ(StateOf(gather), State::kSucceeded);
  EXPECT_THAT(Values(Get(gather).outcome), ElementsAre("1", "2", "3"));
  EXPECT_THAT(Get(gather).members, ElementsAre(a, b, c));
}

TEST_F(CoreTest, ADuplicateStandsAtEveryPosition) {  // semantics 45
  const FutureId a = Promise(), b = Promise();
  const FutureId gather = Gather({a, b, a, a});
  Settle(a, Text("a"));
  Settle(b, Text("b"));
  EXPECT_THAT(Values(Get(gather).outcome), ElementsAre("a", "b", "a", "a"));
  EXPECT_THAT(Get(gather).members, ElementsAre(a, b, a, a));
}

TEST_F(CoreTest, AGatherOfDoneFuturesIsDoneWhenSubmitted) {  // semantics 21, 44
  const FutureId a = Promise(), b = Promise();
  Settle(b, Text("b"));
  Settle(a, Text("a"));
  GatherSpec spec;
  spec.members = {a, b};
  const Submitted answer = Answer(Command(spec));
  EXPECT_EQ(answer.state, State::kSucceeded);
  EXPECT_THAT(Values(Get(answer.id).outcome), ElementsAre("a", "b"));
}

TEST_F(CoreTest, TheFirstExceptionComesThrough) {  // semantics 46
  const FutureId a = Promise(), b = Running(), c = Promise();
  const FutureId gather = Gather({a, b, c});
  Settle(c, Raised("First"));
  EXPECT_EQ(StateOf(gather), State::kFailed);
  EXPECT_EQ(ErrorOf(gather).type, "First");
  EXPECT_EQ(ErrorOf(gather).origin, c);
  EXPECT_EQ(StateOf(b), State::kRunning);
  EXPECT_EQ(Get(b).cancelling, 0u);
  Settle(a, Raised("Second"));
  EXPECT_EQ(ErrorOf(gather).type, "First");
  End(b, Text(""));
  ExpectNothingLeft();
}

TEST_F(CoreTest, AmongFailuresOfBeforeTheFirstInTheInputComesThrough) {  // semantics 46
  const FutureId a = Promise(), b = Promise();
  Settle(b, Raised("EarlierInTime"));
  Settle(a, Raised("EarlierInTheInput"));
  EXPECT_EQ(ErrorOf(Gather({a, b})).type, "EarlierInTheInput");
}

TEST_F(CoreTest, ReturnExceptionsKeepsThemInPlace) {  // semantics 47
  const FutureId a = Promise(), b = Promise(), c = Promise();
  const FutureId gather = Gather({a, b, c}, true);
  Settle(b, Raised("Oops"));
  CancelOne(c, "msg");
  EXPECT_EQ(StateOf(gather), State::kPending);
  Settle(a, Text("1"));
  EXPECT_EQ(StateOf(gather), State::kSucceeded);
  EXPECT_THAT(Values(Get(gather).outcome), ElementsAre("1", "error:Oops", "cancelled:msg"));
}

TEST_F(CoreTest, ACancelledMemberFailsTheGather) {  // semantics 48, 8
  const FutureId a = Promise(), b = Running();
  const FutureId gather = Gather({a, b});
  CancelOne(a, "msg");
  EXPECT_EQ(StateOf(gather), State::kFailed) << "never cancelled itself";
  EXPECT_EQ(ErrorOf(gather).kind, ErrorKind::kCancelled);
  EXPECT_EQ(ErrorOf(gather).message, "msg");
  EXPECT_EQ(ErrorOf(gather).origin, a);
  EXPECT_TRUE(Get(gather).outcome->RaisesCancelled());
  EXPECT_EQ(StateOf(b), State::kRunning);
}

TEST_F(CoreTest, CancellingAGatherCancelsEveryUnfinishedMember) {  // semantics 49
  const FutureId done = Promise(), promise = Promise(), job = Running({OnCancel::kEndCancelled, seconds(1)});
  Settle(done, Text(""));
  const FutureId gather = Gather({done, job, promise}, true);
  EXPECT_EQ(CancelOne(gather, "all"), CancelEffect::kRequested);
  EXPECT_EQ(StateOf(done), State::kSucceeded);
  EXPECT_EQ(StateOf(promise), State::kCancelled);
  EXPECT_EQ(ErrorOf(promise).message, "all");
  EXPECT_EQ(StateOf(gather), State::kPending) << "it ends when its members have";
  Advance(seconds(1));
  EXPECT_EQ(StateOf(gather), State::kFailed);  // semantics 50: also with return_exceptions
  EXPECT_EQ(ErrorOf(gather).kind, ErrorKind::kCancelled);
  EXPECT_EQ(ErrorOf(gather).message, "all");
}

TEST_F(CoreTest, WithoutReturnExceptionsTheFirstCancelledMemberEndsACancelledGather) {  // semantics 49
  const FutureId promise = Promise(), job = Running({OnCancel::kEndCancelled, seconds(1)});
  const FutureId gather = Gather({job, promise});
  EXPECT_EQ(CancelOne(gather), CancelEffect::kCancelled);
  EXPECT_EQ(StateOf(gather), State::kFailed);
  EXPECT_EQ(StateOf(job), State::kRunning);
}

TEST_F(CoreTest, ACancelledGatherWhoseMembersSwallowItFailsStill) {  // semantics 50
  const FutureId job = Running({OnCancel::kReturn});
  const FutureId gather = Gather({job}, true);
  CancelOne(gather, "lost");
  Quiesce();
  EXPECT_EQ(StateOf(job), State::kSucceeded);
  EXPECT_EQ(StateOf(gather), State::kFailed);
  EXPECT_EQ(ErrorOf(gather).kind, ErrorKind::kCancelled);
}

TEST_F(CoreTest, CancellingAGatherCancelsADuplicateTwice) {  // semantics 45, 49
  const FutureId job = Running({OnCancel::kIgnore}), other = Running({OnCancel::kIgnore});
  CancelOne(Gather({job, other, job}));
  EXPECT_EQ(Get(job).cancelling, 2u);
  EXPECT_EQ(Get(other).cancelling, 1u);
}

TEST_F(CoreTest, CancellingAGatherThatHasFailedTouchesNoSibling) {  // semantics 51
  const FutureId a = Promise(), b = Running();
  const FutureId gather = Gather({a, b});
  Settle(a, Raised("Oops"));
  EXPECT_EQ(CancelOne(gather), CancelEffect::kAlreadyDone);
  EXPECT_EQ(Get(b).cancelling, 0u);
}

TEST_F(CoreTest, GathersNest) {
  const FutureId a = Promise(), b = Promise();
  const FutureId inner = Gather({a, b});
  const FutureId outer = Gather({inner, a});
  Settle(a, Text("a"));
  Settle(b, Text("b"));
  EXPECT_EQ(StateOf(outer), State::kSucceeded);
  const OutcomeRef outcome = Get(outer).outcome;
  EXPECT_THAT(Values(outcome->gathered[0]), ElementsAre("a", "b"));
  EXPECT_EQ(outcome->gathered[1]->value.body(), "a");
}

TEST_F(CoreTest, CancelGoesThroughNestedGathers) {  // semantics 49
  const FutureId a = Running(), b = Running();
  const FutureId outer = Gather({Gather({a}, true), b}, true);
  CancelOne(outer, "deep");
  Quiesce();
  EXPECT_EQ(StateOf(a), State::kCancelled);
  EXPECT_EQ(StateOf(b), State::kCancelled);
  EXPECT_EQ(StateOf(outer), State::kFailed);
  EXPECT_EQ(ErrorOf(outer).kind, ErrorKind::kCancelled);
}

TEST_F(CoreTest, NestingHasALimit) {
  FutureId last = Promise();
  for (int depth = 1; depth <= 16; ++depth) last = Gather({last});
  GatherSpec spec;
  spec.members = {last};
  const absl::Status refusal = Answer(Command(spec)).refusal;
  EXPECT_EQ(WhyNot(refusal), base::Reason::kNestingTooDeep);
  EXPECT_THAT(std::string(refusal.message()), testing::AllOf(testing::HasSubstr("17"), testing::HasSubstr("16")));
  ShieldSpec shield;
  shield.inner = last;
  EXPECT_EQ(WhyNot(Answer(Command(shield)).refusal), base::Reason::kNestingTooDeep);
}

// Each level holds the one below many times: what is shared must not be walked once a path.
TEST_F(CoreTest, ATowerOfSharedGathersStaysSmall) {
  const FutureId promise = Promise();
  FutureId last = promise;
  for (int depth = 1; depth <= 15; ++depth) {
    last = Gather({last, last, last, last, last, last, last, last, Gather({promise})});
  }
  EXPECT_EQ(CancelOne(last), CancelEffect::kCancelled);
  EXPECT_EQ(StateOf(last), State::kFailed);
  ExpectNothingLeft();
}

TEST_F(CoreTest, ATowerOfSharedResultsHasASize) {
  const FutureId promise = Promise();
  FutureId last = promise;
  for (int depth = 1; depth <= 16; ++depth) last = Gather(std::vector<FutureId>(300, last));
  Settle(promise, Text("0123456789"));
  EXPECT_EQ(StateOf(last), State::kSucceeded);
  EXPECT_EQ(Get(last).outcome->ByteSize(), std::numeric_limits<size_t>::max());
  ExpectNothingLeft();
}

TEST_F(CoreTest, UnknownMembersAreRefusedByName) {  // semantics 52
  const FutureId a = Promise();
  FutureId unknown = a;
  unknown.sequence += 7;
  GatherSpec spec;
  spec.members = {a, unknown};
  const absl::Status refusal = Answer(Command(spec)).refusal;
  EXPECT_EQ(WhyNot(refusal), base::Reason::kFutureNotFound);
  EXPECT_THAT(std::string(refusal.message()), testing::HasSubstr(unknown.ToText()));
  EXPECT_EQ(shard.Ask(core::GetStats()).links, 0u);
}

TEST_F(CoreTest, AGatherRefersToItsMembersAndKeepsThem) {  // semantics 100
  const FutureId a = Promise();
  const OutcomeRef value = Text(std::string(1000, 'x'));
  Settle(a, value);
  Submit command = Command(GatherSpec{{a, a}, false});
  command.retention = std::chrono::hours(5);
  const FutureId gather = Answer(std::move(command)).id;
  EXPECT_EQ(Get(gather).outcome->gathered[0].get(), value.get());
  Advance(std::chrono::hours(4));
  EXPECT_EQ(StateOf(a), State::kSucceeded) << "pinned past its hour";
  Advance(std::chrono::hours(1));
  EXPECT_EQ(WhyNot(a), base::Reason::kFutureExpired);
  ExpectNothingLeft();
}

TEST_F(CoreTest, ALongLineOfCompletionsDoesNotRecurse) {
  FutureId last = Promise();
  const FutureId first = last;
  for (int at = 0; at < 15; ++at) last = Gather({last});
  const Token wait = Wait({last});
  Settle(first, Text(""));
  EXPECT_TRUE(Ended(wait));
}

}  // namespace
}  // namespace muster::core
