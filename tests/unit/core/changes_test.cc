// What a journal is told: one row a future that has changed, none for what came and went between two batches.
#include "tests/unit/core/restore_fixture.h"

namespace muster::core {
namespace {

// The words of a batch, in order.
class Words final : public ChangeSink {
 public:
  void PutFuture(const FutureRecord& record) override { Say("future", record.id); }
  void PutInput(const FutureId& id, const Payload&) override { Say("input", id); }
  void PutMembers(const FutureId& id, const MembersRecord&) override { Say("members", id); }
  void DeleteFuture(const FutureId& id) override { Say("-future", id); }
  void DeleteInput(const FutureId& id) override { Say("-input", id); }
  void DeleteMembers(const FutureId& id) override { Say("-members", id); }
  void PutRequest(const RequestRecord& record) override { words.push_back("request " + record.request_id); }
  void DeleteRequest(NamespaceId, const std::string& request_id) override { words.push_back("-request " + request_id); }
  void PutMarks(const MarksRecord& record) override {
    words.push_back("marks");
    marks = record;
  }

  std::vector<std::string> words;
  MarksRecord marks;

 private:
  void Say(const std::string& word, const FutureId& id) { words.push_back(word + " " + std::to_string(id.sequence)); }
};

class ChangesTest : public RestoreTest {
 protected:
  std::vector<std::string> Changes(size_t at = 0) {
    Words sink;
    shards[at]->TakeChanges(sink, ++batch);
    EXPECT_FALSE(shards[at]->HasChanges());
    marks = sink.marks;
    return sink.words;
  }
  FutureId Promised(const std::string& request_id, base::Duration retention = hours(1)) {
    Options options;
    options.request_id = request_id;
    Submit command = Command(PromiseSpec{}, options);
    command.retention = retention;
    return Answer(0, std::move(command)).id;
  }

  uint64_t batch = 0;
  MarksRecord marks;
};

TEST_F(ChangesTest, ARowIsWrittenWhenSomethingHasChangedAndOnlyThen) {
  EXPECT_FALSE(shards[0]->HasChanges());
  EXPECT_THAT(Changes(), IsEmpty());
  const FutureId promise = Promise(0);
  EXPECT_TRUE(shards[0]->HasChanges());
  EXPECT_THAT(Changes(), ElementsAre("future 1", "marks"));
  EXPECT_THAT(Changes(), IsEmpty());
  Get(promise);
  Wait({promise}, now);
  Leave(0, Stream({promise}));
  EXPECT_FALSE(shards[0]->HasChanges()) << "looking changes nothing";
  Settle(promise, Text(""));
  EXPECT_TRUE(shards[0]->HasChanges());
  EXPECT_THAT(Changes(), ElementsAre("future 1", "marks"));
  EXPECT_EQ(marks.last_sequence, 1u);
  EXPECT_EQ(marks.last_completion, 1u);
  EXPECT_TRUE(Delete(promise).ok());
  EXPECT_THAT(Changes(), ElementsAre("-future 1", "marks"));
}

TEST_F(ChangesTest, ManyChangesAreOneRow) {
  const FutureId job = Job(0);
  Start(job);
  CancelOne(job);
  End(job, Text("x"));
  EXPECT_THAT(Changes(), ElementsAre("future 1", "marks")) << "nor an input that is not needed any more";
}

TEST_F(ChangesTest, EveryStepOfAJobIsRecorded) {
  Options options;
  options.delay = seconds(1);
  options.run_timeout = seconds(1);
  const FutureId job = Job(0, options);
  EXPECT_THAT(Changes(), ElementsAre("future 1", "input 1", "marks"));
  Advance(seconds(1));
  EXPECT_THAT(Changes(), ElementsAre("future 1", "marks")) << "its delay is over; the input has a row";
  Start(job);
  EXPECT_THAT(Changes(), ElementsAre("future 1", "marks"));
  CancelOne(job, "a");
  EXPECT_THAT(Changes(), ElementsAre("future 1", "marks"));
  Uncancel uncancel;
  uncancel.id = job;
  Do(0, uncancel);
  EXPECT_THAT(Changes(), ElementsAre("future 1", "marks"));
  Advance(seconds(1));
  EXPECT_THAT(Changes(), ElementsAre("future 1", "marks")) << "its run timeout has fired";
  End(job, Text("x"));
  EXPECT_THAT(Changes(), ElementsAre("future 1", "-input 1", "marks")) << "the input goes when the job is done";
  Advance(hours(1));
  EXPECT_THAT(Changes(), ElementsAre("-future 1", "marks")) << "and is not deleted twice";
}

TEST_F(ChangesTest, ProgressIsNotRecorded) {
  const FutureId job = Running(0);
  Changes();
  JobProgress progress;
  progress.id = job;
  progress.fraction = 0.5;
  Do(0, progress);
  EXPECT_FALSE(shards[0]->HasChanges());
}

TEST_F(ChangesTest, WhatCameAndWentLeavesNoRow) {
  const FutureId promise = Promise(0), job = Job(0), gather = Gather(0, {promise, job});
  Settle(promise, Text(""));
  End(job, Text(""));
  for (const FutureId& id : {gather, promise, job}) EXPECT_TRUE(Delete(id).ok());
  EXPECT_FALSE(Exists(gather));
  const FutureId stays = Promise(0);  // in the place of one that has gone
  EXPECT_THAT(Changes(), ElementsAre("future " + std::to_string(stays.sequence), "marks"));
  EXPECT_EQ(marks.last_sequence, 4u) << "but their numbers have been used";
  EXPECT_EQ(marks.last_completion, 3u);
  EXPECT_TRUE(Delete(Kept(0, hours(1), Text(""))).ok());
  EXPECT_THAT(Changes(), IsEmpty()) << "what is made, done and gone within one batch costs nothing";
}

TEST_F(ChangesTest, APlaceThatIsTakenAgainInTheSameBatch) {
  const FutureId first = Kept(0, hours(1), Text(""));
  Changes();
  EXPECT_TRUE(Delete(first).ok());
  const FutureId second = Promise(0);
  EXPECT_EQ(second.slot, first.slot);
  EXPECT_THAT(Changes(), ElementsAre("-future 1", "future 2", "marks"));
}

TEST_F(ChangesTest, MembersAreWrittenOnceAndGoWithTheirFuture) {
  const FutureId promise = Promise(0);
  const FutureId gather = Gather(0, {promise, promise});
  EXPECT_THAT(Changes(), ElementsAre("future 1", "future 2", "members 2", "marks"));
  Settle(promise, Text(""));
  EXPECT_THAT(Changes(), ElementsAre("future 1", "future 2", "marks"));
  EXPECT_TRUE(Delete(gather).ok());
  EXPECT_THAT(Changes(), ElementsAre("-future 2", "-members 2", "marks"));
}

TEST_F(ChangesTest, ARefusedCombinatorLeavesNoRow) {
  const FutureId there = Promise(1);
  FutureId unknown = there;
  unknown.sequence += 7;
  EXPECT_FALSE(Answer(0, Command(GatherSpec{{there, unknown}, false})).refusal.ok());
  EXPECT_THAT(Changes(0), IsEmpty());
  EXPECT_THAT(Changes(1), ElementsAre("future 1", "marks"));
}

TEST_F(ChangesTest, ARequestIdHasARowOfItsOwnOnceItsFutureIsGone) {  // semantics 102
  const FutureId promise = Promised("r", seconds(1));
  EXPECT_THAT(Changes(), ElementsAre("future 1", "marks"));
  Settle(promise, Text(""));
  Changes();
  Advance(seconds(1));
  EXPECT_THAT(Changes(), ElementsAre("-future 1", "request r", "marks"));
  Advance(minutes(10));
  EXPECT_THAT(Changes(), ElementsAre("-request r", "marks"));
}

TEST_F(ChangesTest, ARequestIdOfWhatCameAndWentIsKept) {  // semantics 102
  Settle(Promised("r", seconds(1)), Text(""));
  Advance(seconds(1));
  EXPECT_THAT(Changes(), ElementsAre("request r", "marks"));
  Advance(minutes(10));
  EXPECT_THAT(Changes(), ElementsAre("-request r", "marks"));
  Settle(Promised("s", seconds(1)), Text(""));
  Advance(minutes(11));
  EXPECT_THAT(Changes(), testing::Not(testing::Contains("-request s"))) << "it never had a row";
}

TEST_F(ChangesTest, ADeletedMemberIsRecordedAsHidden) {
  const FutureId member = Promise(0), live = Promise(0), gather = Gather(0, {member, live});
  Settle(member, Text(""));
  Changes();
  EXPECT_TRUE(Delete(member).ok());
  EXPECT_THAT(Changes(), ElementsAre("future 1", "marks"));
  Settle(live, Text(""));
  Changes();
  EXPECT_TRUE(Delete(gather).ok());
  EXPECT_THAT(Changes(), testing::UnorderedElementsAre("-future 3", "-members 3", "-future 1", "marks"));
}

TEST_F(ChangesTest, ACancelFromElsewhereIsRecordedThere) {
  const FutureId job = Running(1);
  const FutureId gather = Gather(0, {job});
  Changes(0), Changes(1);
  CancelOne(gather);
  EXPECT_THAT(Changes(0), ElementsAre("future 1", "marks")) << "how many were sent";
  EXPECT_THAT(Changes(1), ElementsAre("future 1", "marks")) << "and how many arrived";
}

// Else a second crash, with nothing recorded in between, would lead to the same numbers again.
TEST_F(ChangesTest, AfterARestartTheRaisedMarksAreWrittenFirst) {  // semantics 42
  Settle(Promise(0), Text(""));
  Restart();
  EXPECT_TRUE(shards[0]->HasChanges());
  EXPECT_THAT(Changes(), ElementsAre("marks"));
  EXPECT_EQ(marks.last_sequence, 1u);
  EXPECT_GT(marks.last_completion, 1u << 16);
  EXPECT_FALSE(shards[1]->HasChanges()) << "a shard that never had anything starts at the beginning";
}

TEST_F(ChangesTest, WithoutAJournalNothingIsGathered) {
  ShardOptions options;
  Shard shard(options);
  Effects out;
  shard.Apply(Command(PromiseSpec{}), now, out);
  EXPECT_FALSE(shard.HasChanges());
}

}  // namespace
}  // namespace muster::core
