#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

class ViewTest : public CoreTest {
 protected:
  std::vector<FutureId> ListOf(ListFutures query) {
    query.ns = kNs;
    std::vector<FutureId> ids;
    next = 0;
    for (const FutureView& view : test::List(shard, query, &next)) ids.push_back(view.id);
    return ids;
  }
  uint64_t next = 0;
};

TEST_F(ViewTest, ListGoesInOrderOfCreationByPages) {
  std::vector<FutureId> all;
  for (int at = 0; at < 1000; ++at) all.push_back(Promise());
  std::vector<FutureId> left;
  for (size_t at = 0; at < all.size(); ++at) {
    if (at % 3 == 0 || (at > 200 && at < 800)) {
      Settle(all[at], Text(""));
      Run([&] { EXPECT_TRUE(test::Delete(shard, kNs, all[at], now, out).ok()); });
    } else {
      left.push_back(all[at]);
    }
  }
  std::vector<FutureId> listed;
  ListFutures query;
  query.max = 7;
  do {
    const std::vector<FutureId> page = ListOf(query);
    listed.insert(listed.end(), page.begin(), page.end());
    query.after_sequence = next;
  } while (next != 0);
  EXPECT_EQ(listed, left);
}

TEST_F(ViewTest, OutcomesAreTakenOfWhatIsDoneAlone) {
  const FutureId value = Promise();
  const FutureId failed = Promise();
  const FutureId cancelled = Promise();
  const FutureId pending = Promise();
  const FutureId gone = Promise();
  Settle(value, Text("v"));
  Settle(failed, Raised("Oops"));
  CancelOne(cancelled);
  Settle(gone, Text(""));
  Run([&] { EXPECT_TRUE(test::Delete(shard, kNs, gone, now, out).ok()); });
  for (const bool also_failed : {false, true}) {
    const OutcomeRef taken = test::TakeOutcome(shard, kNs, value, also_failed);
    ASSERT_NE(taken, nullptr);
    EXPECT_EQ(taken->value.body(), "v");
    EXPECT_EQ(test::TakeOutcome(shard, kNs, failed, also_failed) != nullptr, also_failed);
    EXPECT_EQ(test::TakeOutcome(shard, kNs, cancelled, also_failed) != nullptr, also_failed);
    EXPECT_EQ(test::TakeOutcome(shard, kNs, pending, also_failed), nullptr);
    EXPECT_EQ(test::TakeOutcome(shard, kNs, gone, also_failed), nullptr);
    EXPECT_EQ(test::TakeOutcome(shard, kNs + 1, value, also_failed), nullptr) << "of another namespace";
  }
}

// The index of creation has an entry for each 256 futures, which goes with the last of them and is used again.
TEST_F(ViewTest, ListFindsWhatIsLeftOfManyBlocks) {
  const auto erase = [&](const FutureId& id) {
    CancelOne(id);
    Run([&] { EXPECT_TRUE(test::Delete(shard, kNs, id, now, out).ok()); });
  };
  const FutureId first = Promise();
  const auto go_to_next_block = [&] {
    FutureId last = Promise();
    while (last.sequence >> 8 == first.sequence >> 8 || last.sequence % 256 != 0) {
      erase(last);
      last = Promise();
    }
    return last;
  };
  const FutureId kept = go_to_next_block();
  erase(first);  // its block goes
  const FutureId beside = Promise();
  FutureId young = Promise();
  while (young.sequence >> 8 == kept.sequence >> 8) {
    erase(young);
    young = Promise();
  }
  shard.CheckInvariants();
  ListFutures query;
  query.ns = kNs;
  query.max = 10;
  query.after_sequence = beside.sequence;
  uint64_t next = 0;
  const std::vector<FutureView> views = test::List(shard, query, &next);
  ASSERT_EQ(views.size(), 1u);
  EXPECT_EQ(views[0].id, young);
}

// A page of a thousand gathers of a hundred thousand members each would not fit into any memory.
TEST_F(ViewTest, ListLeavesMembersToGet) {
  const FutureId promise = Promise();
  const FutureId gather = Gather({promise});
  EXPECT_THAT(Get(gather).members, ElementsAre(promise));
  ListFutures query;
  query.ns = kNs;
  const std::vector<FutureView> page = test::List(shard, query, nullptr);
  EXPECT_EQ(page.size(), 2u);
  for (const FutureView& view : page) EXPECT_THAT(view.members, testing::IsEmpty());
}

TEST_F(ViewTest, ListFilters) {
  Options tagged;
  tagged.group = "g";
  tagged.labels = {{"k", "v"}, {"other", "x"}};
  const FutureId a = Job(tagged);
  const FutureId b = Job();
  const FutureId c = Promise();
  End(b, Text(""));
  ListFutures query;
  EXPECT_THAT(ListOf(query), ElementsAre(a, b, c));
  query.state_mask = 1u << static_cast<int>(State::kSucceeded) | 1u << static_cast<int>(State::kPending);
  EXPECT_THAT(ListOf(query), ElementsAre(b, c));
  query = {};
  query.function = 5;
  EXPECT_THAT(ListOf(query), ElementsAre(a, b));
  query = {};
  query.group = "g";
  EXPECT_THAT(ListOf(query), ElementsAre(a));
  query = {};
  query.labels = {{"k", "v"}};
  EXPECT_THAT(ListOf(query), ElementsAre(a));
  query.labels = {{"k", "w"}};
  EXPECT_THAT(ListOf(query), IsEmpty());
}

TEST_F(ViewTest, LiveOnesCanBeListedAlone) {  // semantics 22
  const FutureId live = Job();
  const FutureId done = Job();
  End(done, Text(""));
  ListFutures query;
  for (State state : {State::kPending, State::kDelayed, State::kQueued, State::kRunning}) {
    query.state_mask |= 1u << static_cast<int>(state);
  }
  EXPECT_THAT(ListOf(query), ElementsAre(live));
}

TEST_F(ViewTest, AGroupIsItsMembersAndNothingElse) {
  Options options;
  options.group = "g";
  const FutureId a = Job(options), b = Job(options);
  EXPECT_THAT(test::GroupMembers(shard, kNs, "g"), ElementsAre(a, b));
  EXPECT_THAT(test::GroupMembers(shard, 2, "g"), IsEmpty());
  EXPECT_EQ(shard.Ask(core::GetStats()).groups, 1u);
  End(a, Text(""));
  End(b, Text(""));
  EXPECT_THAT(test::GroupMembers(shard, kNs, "g"), ElementsAre(a, b)) << "done members belong to it until they go";
  Advance(std::chrono::hours(1));
  EXPECT_EQ(shard.Ask(core::GetStats()).groups, 0u);
}

TEST_F(ViewTest, AViewTellsWhatIsKnown) {
  Options options;
  options.labels = {{"k", "v"}};
  const FutureId id = Job(options);
  const FutureView view = Get(id);
  EXPECT_EQ(view.kind, FutureKind::kJob);
  EXPECT_EQ(view.function, 5u);
  EXPECT_EQ(view.create_time, now);
  EXPECT_EQ(view.start_time, base::kNever);
  EXPECT_EQ(view.end_time, base::kNever);
  EXPECT_EQ(view.expire_time, base::kNever);
  EXPECT_EQ(view.options->labels.at("k"), "v");
  EXPECT_EQ(Get(Promise()).name, "");
}

}  // namespace
}  // namespace muster::core
