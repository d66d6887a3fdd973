// A store in memory that is whole, and then each kind of damage alone.
#include "service/audit/audit.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/status.h"
#include "service/store/memory_journal.h"

namespace muster::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

values::FutureId IdAt(values::ShardIndex shard, uint64_t sequence) {
  values::FutureId id;
  id.shard = shard;
  id.sequence = sequence;
  id.incarnation = 1;
  id.slot = static_cast<uint32_t>(sequence);
  return id;
}

// Not done: a job that runs.
core::FutureRecord Job(values::FutureId id) {
  core::FutureRecord record;
  record.id = id;
  record.ns = 7;
  record.function = 3;
  record.state = values::State::kRunning;
  return record;
}

core::FutureRecord Gather(values::FutureId id) {
  core::FutureRecord record;
  record.id = id;
  record.ns = 7;
  record.kind = values::FutureKind::kGather;
  record.combinator.emplace();
  return record;
}

core::FutureRecord Done(core::FutureRecord record) {
  record.state = values::State::kSucceeded;
  record.completion_sequence = record.id.sequence;
  if (record.kind != values::FutureKind::kGather) record.outcome = values::Outcome::Value(values::Payload::Text("42"));
  return record;
}

class AuditTest : public testing::Test {
 protected:
  AuditTest() {
    rows::HeaderRow header;
    header.shards = 4;
    header.written_by = "1.2.3";
    Put([](std::string& key) { rows::HeaderKey(key); }, header);
    rows::NamespaceKey(7, key_);
    value_.clear();
    rows::EncodeName("default", value_);
    PutRaw();
    Put([](std::string& key) { rows::FunctionKey(3, key); }, rows::FunctionRow{"echo", values::FunctionKind::kAsync});
    Put([](std::string& key) { rows::MarksKey(1, key); }, core::MarksRecord{9, 9});
  }

  template <typename Row>
  void Put(const std::function<void(std::string&)>& name, const Row& row) {
    name(key_);
    value_.clear();
    rows::Encode(row, value_);
    PutRaw();
  }
  void PutRaw() {
    base::MutexLock lock(disk_->mutex);
    disk_->rows[key_] = value_;
  }
  void PutFuture(const core::FutureRecord& record) {
    Put([&](std::string& key) { rows::FutureKey(record.id.shard, record.id.sequence, rows::Part::kFuture, key); },
        record);
  }
  void PutInput(values::FutureId id) {
    Put([&](std::string& key) { rows::FutureKey(id.shard, id.sequence, rows::Part::kInput, key); },
        values::Payload::Text("in"));
  }
  void PutMembers(values::FutureId id, const core::MembersRecord& members) {
    Put([&](std::string& key) { rows::FutureKey(id.shard, id.sequence, rows::Part::kMembers, key); }, members);
  }
  void Remove(const std::function<void(std::string&)>& name) {
    name(key_);
    base::MutexLock lock(disk_->mutex);
    disk_->rows.erase(key_);
  }

  Report Read() {
    const auto journal = store::OpenMemoryJournal(disk_);
    absl::StatusOr<Report> report = Audit(*journal);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *std::move(report) : Report();
  }
  // That exactly this is wrong.
  void ExpectDamage(const std::string& what) {
    const Report report = Read();
    EXPECT_THAT(report.damage, ElementsAre(HasSubstr(what)));
    EXPECT_FALSE(report.ok());
  }

  const std::shared_ptr<store::MemoryStore> disk_ = std::make_shared<store::MemoryStore>();
  std::string key_, value_;
};

TEST_F(AuditTest, AStoreThatNobodyUsedIsEmptyAndWhole) {
  const auto journal = store::OpenMemoryJournal(std::make_shared<store::MemoryStore>());
  const absl::StatusOr<Report> report = Audit(*journal);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok());
  EXPECT_FALSE(report->header.has_value());
  EXPECT_EQ(report->rows(), 0u);
}

TEST_F(AuditTest, RowsAndFuturesAreCounted) {
  PutFuture(Job(IdAt(1, 1)));
  PutInput(IdAt(1, 1));
  PutFuture(Done(Job(IdAt(1, 2))));
  PutFuture(Done(Job(IdAt(3, 1))));
  // A member of another shard, whose row comes later than this one.
  PutFuture(Gather(IdAt(1, 3)));
  PutMembers(IdAt(1, 3), {{{IdAt(1, 1), 1}, {IdAt(3, 1), 1}}, {}});
  core::RequestRecord request;
  request.ns = 7;
  request.request_id = "again";
  request.id = IdAt(2, 5);
  Put([](std::string& key) { rows::RequestKey(2, 7, "again", key); }, request);

  const Report report = Read();
  EXPECT_THAT(report.damage, IsEmpty());
  ASSERT_TRUE(report.header.has_value());
  EXPECT_EQ(report.header->written_by, "1.2.3");
  EXPECT_EQ(report.futures.rows, 4u);
  EXPECT_EQ(report.inputs.rows, 1u);
  EXPECT_EQ(report.members.rows, 1u);
  EXPECT_EQ(report.requests.rows, 1u);
  EXPECT_EQ(report.rows(), 11u);
  EXPECT_GT(report.futures.bytes, 4u * 12);
  EXPECT_EQ(report.states[static_cast<size_t>(values::State::kRunning)], 1u);
  EXPECT_EQ(report.states[static_cast<size_t>(values::State::kSucceeded)], 2u);
  EXPECT_EQ(report.states[static_cast<size_t>(values::State::kPending)], 1u);
  ASSERT_TRUE(report.by_namespace.contains("default"));
  EXPECT_EQ(report.by_namespace.at("default"), report.states);
}

TEST_F(AuditTest, ANewerLayoutIsRefusedNotCalledDamaged) {
  rows::HeaderRow header;
  header.schema = rows::kSchemaVersion + 1;
  header.shards = 4;
  header.written_by = "9.0.0";
  Put([](std::string& key) { rows::HeaderKey(key); }, header);
  const auto journal = store::OpenMemoryJournal(disk_);
  const absl::StatusOr<Report> report = Audit(*journal);
  EXPECT_EQ(report.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("musterd 9.0.0"));
}

TEST_F(AuditTest, RowsWithoutAHeader) {
  Remove([](std::string& key) { rows::HeaderKey(key); });
  ExpectDamage("no header");
}

TEST_F(AuditTest, AnUnknownKey) {
  key_ = "zzz";
  value_ = "?";
  PutRaw();
  ExpectDamage("a row with a key of 3 bytes");
}

TEST_F(AuditTest, ARowThatCannotBeDecoded) {
  PutFuture(Job(IdAt(1, 1)));
  PutInput(IdAt(1, 1));  // belongs to it, and is not called an orphan
  rows::FutureKey(1, 1, rows::Part::kFuture, key_);
  value_ = "\x01garbage";
  PutRaw();
  ExpectDamage("shard 1, sequence 1");
}

TEST_F(AuditTest, PartsOfNoFuture) {
  PutInput(IdAt(1, 4));
  ExpectDamage("shard 1, sequence 4: the input of a future that is not there");
  Remove([](std::string& key) { rows::FutureKey(1, 4, rows::Part::kInput, key); });
  PutFuture(Job(IdAt(1, 4)));
  PutMembers(IdAt(2, 4), {{{IdAt(1, 4), 1}}, {}});
  ExpectDamage("shard 2, sequence 4: the members of a future that is not there");
}

TEST_F(AuditTest, AnInputThatNobodyWillRead) {
  PutFuture(Done(Job(IdAt(1, 1))));
  PutInput(IdAt(1, 1));
  ExpectDamage("there is an input");
}

TEST_F(AuditTest, MembersThatAreMissing) {
  PutFuture(Gather(IdAt(1, 1)));
  ExpectDamage("its members are missing");
}

TEST_F(AuditTest, AMemberOfALiveGatherThatIsMissing) {
  PutFuture(Gather(IdAt(1, 1)));
  PutMembers(IdAt(1, 1), {{{IdAt(2, 1), 1}}, {}});
  ExpectDamage("a member is missing: " + IdAt(2, 1).ToText());
  core::FutureRecord other = Job(IdAt(2, 1));
  other.id.incarnation = 2;  // another future at the same place
  PutFuture(other);
  ExpectDamage("a member is missing: " + IdAt(2, 1).ToText());
  PutFuture(Job(IdAt(2, 1)));
  EXPECT_TRUE(Read().ok());
}

TEST_F(AuditTest, AMemberOfADoneGatherIsNeededAndOneOfADoneShieldIsNot) {
  PutFuture(Done(Gather(IdAt(1, 1))));
  PutMembers(IdAt(1, 1), {{{IdAt(2, 1), 1}}, {}});
  core::FutureRecord shield = Gather(IdAt(1, 2));
  shield.kind = values::FutureKind::kShield;
  PutFuture(Done(shield));
  PutMembers(IdAt(1, 2), {{{IdAt(2, 2), 1}}, {}});
  ExpectDamage("a member is missing: " + IdAt(2, 1).ToText());
}

TEST_F(AuditTest, AGatherOfAPositionThatItDoesNotHave) {
  PutFuture(Job(IdAt(1, 1)));
  PutFuture(Gather(IdAt(1, 2)));
  PutMembers(IdAt(1, 2), {{{IdAt(1, 1), 1}}, {0, 1}});
  ExpectDamage("position: 1 of 1 members");
}

TEST_F(AuditTest, ShieldsHaveOneMember) {
  PutFuture(Job(IdAt(1, 1)));
  core::FutureRecord shield = Gather(IdAt(1, 2));
  shield.kind = values::FutureKind::kShield;
  PutFuture(shield);
  PutMembers(IdAt(1, 2), {{{IdAt(1, 1), 1}, {IdAt(1, 1), 1}}, {}});
  ExpectDamage("a shield: it has a wrong number of members");
}

TEST_F(AuditTest, NumbersOfNoNamespaceAndNoFunction) {
  core::FutureRecord job = Job(IdAt(1, 1));
  job.ns = 8;
  PutFuture(job);
  ExpectDamage("of a namespace that is not there: 8");
  job = Job(IdAt(1, 1));
  job.function = 4;
  PutFuture(job);
  ExpectDamage("calls a function that is not there: 4");
}

TEST_F(AuditTest, AShardThatTheHeaderDoesNotKnow) {
  PutFuture(Job(IdAt(4, 1)));
  ExpectDamage("is in shard 4; the header says that there are 4");
}

TEST_F(AuditTest, StatesThatDoNotFit) {
  core::FutureRecord job = Done(Job(IdAt(1, 1)));
  job.outcome = nullptr;
  PutFuture(job);
  ExpectDamage("state and outcome disagree");
  job = Done(Job(IdAt(1, 1)));
  job.completion_sequence = 0;
  PutFuture(job);
  ExpectDamage("its end has no number");
  job = Job(IdAt(1, 1));
  job.state = values::State::kPending;
  PutFuture(job);
  ExpectDamage("a job: its state does not fit its kind");
}

TEST_F(AuditTest, MuchDamageIsCountedAndNotListedWhole) {
  for (uint64_t sequence = 1; sequence <= kDamageShown + 20; ++sequence) PutInput(IdAt(1, sequence));
  const Report report = Read();
  EXPECT_EQ(report.damaged, kDamageShown + 20);
  EXPECT_EQ(report.damage.size(), kDamageShown);
}

// A journal that fails in the middle: what was not read is not called missing.
class HalfJournal final : public store::Journal {
 public:
  explicit HalfJournal(std::unique_ptr<store::Journal> whole) : whole_(std::move(whole)) {}
  absl::Status Scan(std::string_view prefix, const store::RowVisitor& visit) override {
    int left = 1;
    MUSTER_RETURN_IF_ERROR(whole_->Scan(prefix, [&](std::string_view key, std::string_view value) {
      if (left-- == 0) return absl::DataLossError("block checksum mismatch");
      return visit(key, value);
    }));
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override { return whole_->Get(key); }
  absl::StatusOr<uint32_t> TakeOver(uint32_t at_least) override { return whole_->TakeOver(at_least); }
  absl::Status Append(uint32_t epoch, std::span<const store::Batch* const> batches) override {
    return whole_->Append(epoch, batches);
  }
  absl::Status Sync() override { return whole_->Sync(); }
  absl::Status Compact() override { return whole_->Compact(); }
  absl::Status Verify() override { return whole_->Verify(); }
  absl::Status Backup(const std::string& path) override { return whole_->Backup(path); }
  base::Durability durability() const override { return whole_->durability(); }
  store::JournalStats stats() const override { return whole_->stats(); }

 private:
  const std::unique_ptr<store::Journal> whole_;
};

TEST_F(AuditTest, WhatCannotBeReadIsSaidOnce) {
  PutFuture(Job(IdAt(1, 1)));
  PutFuture(Job(IdAt(1, 2)));
  HalfJournal journal(store::OpenMemoryJournal(disk_));
  const absl::StatusOr<Report> report = Audit(journal);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->damage, ElementsAre(HasSubstr("after 1 rows nothing more can be read: block checksum mismatch")));
}

}  // namespace
}  // namespace muster::audit
