// Records that contradict themselves or each other: the restart is refused and names the future, and never crashes.
#include "tests/unit/core/restore_fixture.h"

namespace muster::core {
namespace {

using testing::HasSubstr;

class RestoreDamageTest : public RestoreTest {
 protected:
  // One of each, all recorded.
  RestoreDamageTest() {
    Options options = Named("n");
    options.request_id = "r";
    options.queue_timeout = options.run_timeout = seconds(100);
    promise = Promise(0, options);
    elsewhere = Promise(1);
    queued = Job(0, options = Named("q"));
    running = Running(0, options);
    done = Promise(0);
    failed = Promise(1);
    gather = Gather(0, {promise, elsewhere, promise});
    shield = Make(0, ShieldOf(promise));
    wait_for = Make(0, WaitForOf(elsewhere, seconds(50)));
    done_gather = Gather(0, {done, failed}, true);
    failed_gather = Gather(1, {failed, elsewhere});
    outer = Gather(0, {gather, done_gather});
    done_shield = Make(1, ShieldOf(done));
    done_wait_for = Make(0, WaitForOf(failed, seconds(1)));
    Settle(done, Text("x"));
    Settle(failed, Raised("E"));
    Commit();
    whole = stores;
    all = {promise, elsewhere, queued,      running,       done,  failed,      gather,
           shield,  wait_for,  done_gather, failed_gather, outer, done_shield, done_wait_for};
  }

  // What a restart says to the records as a test has left them; they are whole again afterwards.
  absl::Status Try() {
    const absl::Status restored = Restore(seconds(0));
    stores = whole;
    return restored;
  }
  void ExpectDamaged(FutureId id, const std::string& what) {
    const absl::Status restored = Try();
    EXPECT_EQ(restored.code(), absl::StatusCode::kDataLoss) << what;
    EXPECT_THAT(std::string(restored.message()), HasSubstr("future " + id.ToText() + ": "));
    EXPECT_THAT(std::string(restored.message()), HasSubstr(what));
  }
  FutureRecord& Of(FutureId id) { return RecordOf(id); }
  MembersRecord& MembersOf(FutureId id) { return stores[id.shard].members.at(id.sequence); }

  FutureId promise, elsewhere, queued, running, done, failed, gather, shield, wait_for, done_gather, failed_gather,
      outer, done_shield, done_wait_for;
  std::vector<FutureId> all;
  std::vector<test::RecordStore> whole;
};

TEST_F(RestoreDamageTest, WhatIsWholeIsAccepted) {
  ASSERT_TRUE(Try().ok());
  Resume();
  for (const FutureId& id : all) EXPECT_TRUE(Exists(id));
}

TEST_F(RestoreDamageTest, AnIdThatCannotBe) {
  FutureId wrong = promise;
  wrong.shard = 2;
  Of(promise).id = wrong;
  ExpectDamaged(wrong, "not of this shard");
  wrong = promise;
  wrong.sequence = 0;
  Of(promise).id = wrong;
  ExpectDamaged(wrong, "not of this shard");
  wrong = running;
  wrong.sequence = queued.sequence;
  Of(running).id = wrong;
  ExpectDamaged(wrong, "out of order");
  wrong = promise;
  wrong.incarnation = incarnation + 1;  // that of the very run that restores
  Of(promise).id = wrong;
  ExpectDamaged(wrong, "later run");
  wrong = promise;
  wrong.slot = 1u << 28;
  Of(promise).id = wrong;
  ExpectDamaged(wrong, "has its place");
  wrong = running;
  wrong.slot = queued.slot;
  Of(running).id = wrong;
  ExpectDamaged(wrong, "has its place");
}

TEST_F(RestoreDamageTest, AStateThatDoesNotFit) {
  Of(promise).state = State::kQueued;
  ExpectDamaged(promise, "does not fit its kind");
  Of(gather).state = State::kRunning;
  ExpectDamaged(gather, "does not fit its kind");
  Of(queued).state = State::kPending;
  ExpectDamaged(queued, "does not fit its kind");
  Of(done).state = State::kExpired;
  ExpectDamaged(done, "does not fit its kind");
  Of(done).state = State::kFailed;
  ExpectDamaged(done, "otherwise than its outcome says");
  Of(done).state = State::kPending;
  ExpectDamaged(done, "state and outcome disagree");
  Of(done).outcome = nullptr;
  ExpectDamaged(done, "state and outcome disagree");
  Of(promise).outcome = Text("");
  ExpectDamaged(promise, "state and outcome disagree");
  Of(done_gather).outcome = Text("");
  ExpectDamaged(done_gather, "state and outcome disagree");
  Of(failed_gather).outcome = nullptr;
  ExpectDamaged(failed_gather, "state and outcome disagree");
  Of(done).completion_sequence = 0;
  ExpectDamaged(done, "its end has no number");
  Of(promise).completion_sequence = 7;
  ExpectDamaged(promise, "its end has no number");
  Of(promise).expired = true;
  ExpectDamaged(promise, "is not done, and gone");
  Of(promise).hidden = true;
  ExpectDamaged(promise, "is not done, and gone");
}

TEST_F(RestoreDamageTest, ATimeoutThatItDoesNotHave) {
  const auto no_options = std::make_shared<const Options>();
  Of(queued).due = now;
  ExpectDamaged(queued, "no timeout");
  Of(queued).due = now;
  Of(queued).options = nullptr;
  ExpectDamaged(queued, "no timeout");
  Of(running).run_timed_out = true;
  ExpectDamaged(running, "no timeout");
  for (const FutureId& id : {promise, gather, shield}) {
    Of(id).due = now;
    ExpectDamaged(id, "no timeout");
  }
  Of(wait_for).combinator->timeout.reset();
  ExpectDamaged(wait_for, "no timeout");
  Of(wait_for).due = base::kNever;
  Of(wait_for).combinator->timeout.reset();
  Of(wait_for).combinator->expiring = true;
  ExpectDamaged(wait_for, "no timeout");
  Of(wait_for).due = base::kNever;
  Of(wait_for).combinator->timeout.reset();
  Of(wait_for).combinator->polling = true;
  ExpectDamaged(wait_for, "no timeout");
}

TEST_F(RestoreDamageTest, MembersThatDoNotFit) {
  Of(promise).combinator.emplace();
  ExpectDamaged(promise, "do not fit its kind");
  Of(gather).combinator.reset();
  ExpectDamaged(gather, "do not fit its kind");
  for (const uint32_t depth : {0u, 1001u}) {
    Of(gather).combinator->depth = depth;
    ExpectDamaged(gather, "nests too deep");
  }
  for (const FutureId& id : {gather, shield, wait_for, done_gather, done_shield, done_wait_for}) {
    stores[id.shard].members.erase(id.sequence);
    ExpectDamaged(id, "its members are missing");
  }
  for (const FutureId& id : {shield, wait_for, done_shield}) {
    MembersOf(id).members.clear();
    ExpectDamaged(id, "wrong number of members");
    MembersOf(id).members.push_back({done, 1});
    ExpectDamaged(id, "wrong number of members");
  }
  MembersOf(gather).members.clear();
  ExpectDamaged(gather, "wrong number of members");
  MembersOf(gather).members.clear();
  MembersOf(gather).positions.clear();
  ExpectDamaged(gather, "wrong number of members");  // it would have ended at once
  MembersOf(gather).positions.push_back(2);
  ExpectDamaged(gather, "does not have");
  stores[0].members[promise.sequence] = MembersOf(gather);
  ExpectDamaged(promise, "belong to no future");
}

TEST_F(RestoreDamageTest, AMemberThatIsNotThere) {
  FutureId unknown = promise;
  unknown.sequence += 1000;
  for (const FutureId& id : {gather, shield}) {
    MembersOf(id).members[0].id = unknown;
    ExpectDamaged(id, "a member is missing: " + unknown.ToText());
  }
  MembersOf(gather).members[0].id = gather;
  ExpectDamaged(gather, "a member is missing: " + gather.ToText());
  unknown = elsewhere;
  unknown.slot += 1000;
  MembersOf(wait_for).members[0].id = unknown;
  ExpectDamaged(wait_for, "a member is missing: " + unknown.ToText());
  MembersOf(done_gather).members[1].id = unknown;
  ExpectDamaged(done_gather, "a member is missing: " + unknown.ToText());
  unknown.shard = kShards;
  MembersOf(wait_for).members[0].id = unknown;
  ExpectDamaged(wait_for, "a member is missing: " + unknown.ToText());
  stores[0].futures.erase(done.sequence);
  ExpectDamaged(done_gather, "a member is missing: " + done.ToText());
}

TEST_F(RestoreDamageTest, MembersThatContradictTheirGather) {
  MembersOf(done_gather).members[0].id = promise;
  ExpectDamaged(done_gather, "a member is not done");
  MembersOf(done_gather).members[1].id = elsewhere;
  ExpectDamaged(done_gather, "a member is not done");
  // What nests deeper is tied to its members later: its outcome would not be known yet.
  for (const uint32_t depth : {1u, 2u}) {
    Of(gather).combinator->depth = depth;
    MembersOf(gather).members[0].id = outer;
    ExpectDamaged(gather, "nests as deep");
  }
  Of(done_gather).combinator->depth = 3;
  ExpectDamaged(outer, "nests as deep");
  MembersOf(done_gather).members[1].id = failed_gather;  // in another shard
  ExpectDamaged(done_gather, "nests as deep");
}

TEST_F(RestoreDamageTest, AShardThatDoesNotAnswer) {
  ++incarnation;
  Boot();
  ASSERT_TRUE(stores[0].Restore(*shards[0]).ok());
  const uint32_t depth = shards[0]->FinishRestoring();
  EXPECT_EQ(depth, 2u);
  Effects out;
  for (uint32_t level = 0; level <= depth; ++level) shards[0]->Relink(level, now, out);
  const absl::Status finished = shards[0]->FinishRelinking(now, out);
  EXPECT_EQ(finished.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(finished.message()), HasSubstr("another shard did not say"));
}

TEST_F(RestoreDamageTest, InputsOfNoJob) {
  for (const FutureId& id : {promise, done, gather}) {
    stores[id.shard].inputs[id.sequence] = Payload::Text("");
    ExpectDamaged(id, "an input belongs to no job");
  }
  Of(queued).state = State::kSucceeded;
  Of(queued).outcome = Text("");
  Of(queued).completion_sequence = 9;
  ExpectDamaged(queued, "an input belongs to no job");
  FutureId unknown = promise;
  unknown.slot += 1000;
  EXPECT_EQ(shards[0]->RestoreInput(unknown, Payload()).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(shards[0]->RestoreMembers(unknown, MembersRecord()).code(), absl::StatusCode::kDataLoss);
}

TEST_F(RestoreDamageTest, RequestIds) {
  Of(running).requests = Of(promise).requests;
  ExpectDamaged(running, "its request id \"r\" belongs to another one");
  RequestRecord request;
  request.ns = kNs;
  request.request_id = "r";
  request.id = done;
  stores[0].requests[{kNs, "r"}] = request;
  ExpectDamaged(done, "request id \"r\" is there twice");
  request.request_id = "s";
  request.elsewhere_state = State::kSucceeded;
  stores[0].requests[{kNs, "s"}] = request;
  ExpectDamaged(done, "a shield's state and outcome disagree");
  request.elsewhere_state = State::kPending;
  request.elsewhere_outcome = Text("");
  stores[0].requests[{kNs, "s"}] = request;
  ExpectDamaged(done, "a shield's state and outcome disagree");
}

// Each record with one thing in it changed: it may be refused or make sense, but what is accepted must work.
TEST_F(RestoreDamageTest, NothingThatARecordSaysCrashesTheServer) {
  using Change = std::function<void(FutureRecord&)>;
  std::vector<Change> changes = {
      [](FutureRecord& r) { r.options = nullptr; },
      [](FutureRecord& r) { r.options = std::make_shared<const Options>(); },
      [](FutureRecord& r) { r.function_kind = FunctionKind::kBlocking; },
      [](FutureRecord& r) { r.attempt = 0; },
      [](FutureRecord& r) { r.attempt = ~0u; },
      [](FutureRecord& r) { r.cancelling = ~0u; },
      [this](FutureRecord& r) { r.due = now; },
      [](FutureRecord& r) { r.due = base::kNever; },
      [](FutureRecord& r) { r.end_time = base::kNever; },
      [](FutureRecord& r) { r.end_time = base::Instant{}; },
      [](FutureRecord& r) { r.create_time = base::kNever; },
      [](FutureRecord& r) { r.retention = base::Duration(0); },
      [](FutureRecord& r) { r.retention = base::Duration::max(); },
      [](FutureRecord& r) { r.completion_sequence = ~uint64_t{0}; },
      [](FutureRecord& r) { r.hidden = !r.hidden; },
      [](FutureRecord& r) { r.expired = !r.expired; },
      [](FutureRecord& r) { r.expired = r.hidden = true; },
      [](FutureRecord& r) { r.drop_when_delivered = true; },
      [](FutureRecord& r) { r.retrieved = true; },
      [](FutureRecord& r) { r.run_timed_out = true; },
      [](FutureRecord& r) { r.run_timed_out = true, r.cancelling = 1; },
      [](FutureRecord& r) { r.cancel_missed = true; },
      [](FutureRecord& r) { r.outcome = Text("another"); },
      [](FutureRecord& r) { r.outcome = nullptr; },
      [](FutureRecord& r) { r.combinator.reset(); },
      [this](FutureRecord& r) { r.remote_cancels = {{gather, 1, 5, 7}, {gather, 1, 5, 7}}; },
      [](FutureRecord& r) { r.requests.clear(); },
      [](FutureRecord& r) { r.requests.emplace_back(), r.requests.emplace_back(); },
  };
  for (int state = 0; state <= static_cast<int>(State::kExpired); ++state) {
    changes.push_back([state](FutureRecord& r) { r.state = static_cast<State>(state); });
  }
  for (int kind = 0; kind <= static_cast<int>(FutureKind::kWaitFor); ++kind) {
    changes.push_back([kind](FutureRecord& r) { r.kind = static_cast<FutureKind>(kind); });
  }
  const std::vector<std::function<void(CombinatorRecord&)>> combinators = {
      [](CombinatorRecord& c) { c.return_exceptions = !c.return_exceptions; },
      [](CombinatorRecord& c) { c.cancel_requested = true; },
      [](CombinatorRecord& c) { c.cancel_in_doubt = true; },
      [](CombinatorRecord& c) { c.polling = true; },
      [](CombinatorRecord& c) { c.expiring = true; },
      [](CombinatorRecord& c) { c.must_cancel = true; },
      [](CombinatorRecord& c) { c.timeout.reset(); },
      [](CombinatorRecord& c) { c.timeout = base::Duration(0); },
      [](CombinatorRecord& c) { c.cancels_passed = 3; },
      [](CombinatorRecord& c) { c.cancels_sent = {{0, 1}, {1, 1}, {7, 1}}; },
      [](CombinatorRecord& c) { c.depth = 1; },
      [](CombinatorRecord& c) { c.depth = 2; },
      [](CombinatorRecord& c) { c.depth = 900; },
  };
  for (const auto& change : combinators) {
    changes.push_back([change](FutureRecord& r) {
      if (r.combinator) change(*r.combinator);
    });
  }
  int accepted = 0;
  for (const FutureId& id : all) {
    for (size_t at = 0; at < changes.size(); ++at) {
      SCOPED_TRACE("future " + id.ToText() + ", change " + std::to_string(at));
      changes[at](Of(id));
      const absl::Status restored = Try();
      if (!restored.ok()) {
        EXPECT_EQ(restored.code(), absl::StatusCode::kDataLoss) << restored;
        continue;
      }
      ++accepted;
      Resume();
      CancelOne(outer);
      Advance(hours(3));
    }
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace muster::core
