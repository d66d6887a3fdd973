#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

class RequestIdTest : public CoreTest {
 protected:
  explicit RequestIdTest(ShardOptions options = {}) : CoreTest(options) {}

  Submit Request(std::string request_id, uint64_t spec_hash, FutureSpec spec = PromiseSpec{}) {
    Options options;
    options.request_id = std::move(request_id);
    Submit command = Command(std::move(spec), std::make_unique<Options>(std::move(options)));
    command.spec_hash = spec_hash;
    return command;
  }
};

TEST_F(RequestIdTest, TheSameRequestGivesTheSameFuture) {  // semantics 102
  const Submitted first = Answer(Request("r", 1));
  const Submitted again = Answer(Request("r", 1));
  EXPECT_FALSE(first.deduplicated);
  EXPECT_TRUE(again.deduplicated);
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(again.state, State::kPending);
  EXPECT_EQ(shard.Ask(core::GetStats()).futures, 1u);
  Settle(first.id, Text(""));
  EXPECT_EQ(Answer(Request("r", 1)).state, State::kSucceeded);
  ExpectNothingLeft();
}

TEST_F(RequestIdTest, AnotherSpecIsRefused) {
  Answer(Request("r", 1));
  EXPECT_EQ(WhyNot(Answer(Request("r", 2)).refusal), base::Reason::kRequestIdReused);
}

TEST_F(RequestIdTest, NamespacesDoNotShareRequestIds) {
  const FutureId first = Answer(Request("r", 1)).id;
  Submit command = Request("r", 1);
  command.ns = 2;
  command.ns_tag = 9;
  const Submitted other = Answer(std::move(command));
  EXPECT_FALSE(other.deduplicated);
  EXPECT_NE(other.id, first);
}

TEST_F(RequestIdTest, ARepeatedCallAttachesAgain) {  // semantics 102
  Submit call = Request("r", 1);
  call.attach = true;
  const Submitted first = Answer(std::move(call));
  Submit repeated = Request("r", 1);
  repeated.attach = true;
  const Submitted again = Answer(std::move(repeated));
  Leave(first.token);
  Settle(first.id, Text("for both"));
  EXPECT_EQ(calls.count(first.token), 0u);
  EXPECT_EQ(calls.at(again.token).outcome->value.body(), "for both");
  Submit late = Request("r", 1);
  late.attach = true;
  EXPECT_EQ(calls.at(Answer(std::move(late)).token).outcome->value.body(), "for both");
  EXPECT_EQ(shard.Ask(core::GetStats()).calls, 0u);
}

TEST_F(RequestIdTest, ARepetitionAfterTheFutureHasGoneIsNotRunAgain) {  // semantics 102, 100
  const FutureId id = Answer(Request("r", 1)).id;
  Settle(id, Text(""));
  Advance(std::chrono::hours(1));
  EXPECT_EQ(WhyNot(Answer(Request("r", 1)).refusal), base::Reason::kFutureExpired);
  EXPECT_EQ(WhyNot(Answer(Request("r", 2)).refusal), base::Reason::kRequestIdReused);
  Advance(std::chrono::minutes(10));
  EXPECT_TRUE(Answer(Request("r", 2)).refusal.ok()) << "the window is over";
}

TEST_F(RequestIdTest, TheWindowCanBeLonger) {
  Submit command = Request("r", 1);
  command.options->request_id_ttl = std::chrono::hours(3);
  const FutureId id = Answer(std::move(command)).id;
  Settle(id, Text(""));
  Advance(std::chrono::hours(1) + std::chrono::hours(3) - seconds(1));
  EXPECT_EQ(shard.Ask(core::GetStats()).request_ids, 1u);
  Advance(seconds(1));
  EXPECT_EQ(shard.Ask(core::GetStats()).request_ids, 0u);
}

TEST_F(RequestIdTest, AShieldOfWhatIsDoneCanBeRepeated) {  // semantics 55, 102
  const FutureId inner = Promise();
  Settle(inner, Text(""));
  ShieldSpec spec;
  spec.inner = inner;
  EXPECT_EQ(Answer(Request("s", 1, spec)).id, inner);
  const Submitted again = Answer(Request("s", 1, spec));
  EXPECT_TRUE(again.deduplicated);
  EXPECT_EQ(again.id, inner);
  ExpectNothingLeft();
}

TEST_F(RequestIdTest, ARefusedCombinatorLeavesNoRequestId) {
  GatherSpec spec;
  spec.members = {FutureId{1000, 1, 5, 0, kTag}};
  EXPECT_FALSE(Answer(Request("g", 1, spec)).refusal.ok());
  EXPECT_EQ(shard.Ask(core::GetStats()).request_ids, 0u);
}

class FewRequestIdsTest : public RequestIdTest {
 protected:
  FewRequestIdsTest()
      : RequestIdTest([] {
          ShardOptions options;
          options.request_ids_max = 2;
          return options;
        }()) {}
};

TEST_F(FewRequestIdsTest, TheirNumberIsBounded) {
  Answer(Request("1", 1));
  Answer(Request("2", 1));
  EXPECT_EQ(WhyNot(Answer(Request("3", 1)).refusal), base::Reason::kTooManyRequestIds);
  EXPECT_TRUE(Answer(Request("2", 1)).refusal.ok());
}

}  // namespace
}  // namespace muster::core
