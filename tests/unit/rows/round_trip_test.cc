// What is encoded comes back, and takes no more room than it should.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/rows/detail/form.h"
#include "service/rows/rows.h"
#include "tests/unit/rows/records.h"

namespace muster::rows {
namespace {

constexpr int kRounds = 5000;

TEST(RowRoundTripTest, Futures) {
  RandomRecords random(11);
  std::string row;
  for (int round = 0; round < kRounds; ++round) {
    const core::FutureRecord record = random.Future();
    row.clear();
    Encode(record, row);
    const absl::StatusOr<core::FutureRecord> decoded = DecodeFuture(record.id.shard, record.id.sequence, row);
    ASSERT_TRUE(decoded.ok()) << decoded.status() << " in round " << round << ": " << ToHex(row);
    ASSERT_EQ(Difference(record, *decoded), "") << "in round " << round << ": " << ToHex(row);
  }
}

TEST(RowRoundTripTest, Inputs) {
  RandomRecords random(12);
  for (int round = 0; round < kRounds; ++round) {
    const values::Payload payload = random.Payload();
    std::string row;
    Encode(payload, row);
    const absl::StatusOr<values::Payload> decoded = DecodePayload(row);
    ASSERT_TRUE(decoded.ok()) << decoded.status() << ": " << ToHex(row);
    ASSERT_TRUE(Same(payload, *decoded)) << ToHex(row);
  }
}

TEST(RowRoundTripTest, Members) {
  RandomRecords random(13);
  for (int round = 0; round < kRounds; ++round) {
    const core::MembersRecord members = random.Members();
    std::string row;
    Encode(members, row);
    const absl::StatusOr<core::MembersRecord> decoded = DecodeMembers(row);
    ASSERT_TRUE(decoded.ok()) << decoded.status() << ": " << ToHex(row);
    ASSERT_EQ(members, *decoded) << ToHex(row);
  }
}

TEST(RowRoundTripTest, Requests) {
  RandomRecords random(14);
  for (int round = 0; round < kRounds; ++round) {
    const core::RequestRecord request = random.Request();
    std::string row;
    Encode(request, row);
    const absl::StatusOr<core::RequestRecord> decoded = DecodeRequest(request.ns, request.request_id, row);
    ASSERT_TRUE(decoded.ok()) << decoded.status() << ": " << ToHex(row);
    ASSERT_TRUE(Same(request, *decoded)) << ToHex(row);
  }
}

TEST(RowRoundTripTest, MarksNamesFunctionsAndHeaders) {
  RandomRecords random(15);
  for (int round = 0; round < kRounds; ++round) {
    std::string row;
    const core::MarksRecord marks = random.Marks();
    Encode(marks, row);
    const absl::StatusOr<core::MarksRecord> marks_again = DecodeMarks(row);
    ASSERT_TRUE(marks_again.ok()) << marks_again.status();
    ASSERT_EQ(marks, *marks_again);

    const FunctionRow function{random.Text(), static_cast<values::FunctionKind>(random.Below(4))};
    row.clear();
    Encode(function, row);
    const absl::StatusOr<FunctionRow> function_again = DecodeFunction(row);
    ASSERT_TRUE(function_again.ok()) << function_again.status();
    ASSERT_EQ(function, *function_again);

    const HeaderRow header{random.Number32(), random.Number32(), random.Text()};
    row.clear();
    Encode(header, row);
    const absl::StatusOr<HeaderRow> header_again = DecodeHeader(row);
    ASSERT_TRUE(header_again.ok()) << header_again.status();
    ASSERT_EQ(header, *header_again);

    const std::string name = random.Text();
    row.clear();
    EncodeName(name, row);
    const absl::StatusOr<std::string> name_again = DecodeName(row);
    ASSERT_TRUE(name_again.ok()) << name_again.status();
    ASSERT_EQ(name, *name_again);
  }
}

TEST(RowRoundTripTest, ARowIsAppendedToWhatIsThere) {
  RandomRecords random(16);
  const core::FutureRecord record = random.Future();
  std::string alone, after = "before";
  Encode(record, alone);
  Encode(record, after);
  EXPECT_EQ(after, "before" + alone);
}

// Across the edges of the writer's own buffer.
TEST(RowRoundTripTest, TextsOfEachLength) {
  for (size_t before = 0; before < 300; before += 7) {
    for (size_t size = 0; size < 600; ++size) {
      values::Payload::Content content;
      content.encoding = values::Encoding::kText;
      content.body = std::string(before, 'b');
      content.content_type = std::string(size, 't');
      content.metadata["k"] = "v";
      const values::Payload payload(content);
      std::string row;
      Encode(payload, row);
      const absl::StatusOr<values::Payload> decoded = DecodePayload(row);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      ASSERT_TRUE(Same(payload, *decoded)) << before << " and " << size;
    }
  }
}

TEST(RowRoundTripTest, TimesAtTheEndsOfTheirRangeComeBack) {
  const base::Instant ends[] = {base::Instant::min(),
                                base::Instant(base::Duration(-1)),
                                base::Instant(),
                                base::Instant(base::Duration(1)),
                                base::Instant::max() - base::Duration(1),
                                base::kNever};
  for (const base::Instant created : ends) {
    for (const base::Instant other : ends) {
      core::FutureRecord record;
      record.create_time = created;
      record.start_time = record.end_time = record.due = record.cancel_time = other;
      std::string row;
      Encode(record, row);
      const absl::StatusOr<core::FutureRecord> decoded = DecodeFuture(0, 0, row);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      ASSERT_EQ(Difference(record, *decoded), "");
    }
  }
}

// What is gone for good is only what no chain should have: the causes below the limit. A chain is freed by one
// destructor in another, and the thread sanitizer holds 65,536 frames: 1,000 causes are some 7,000 of them.
TEST(RowRoundTripTest, CausesAreKeptToTheirLimitAndCutBelowIt) {
  for (const int causes : {0, 8, 9, detail::kCausesMax, detail::kCausesMax + 1, 1'000}) {
    values::Error error;
    error.message = "the root";
    for (int at = 0; at < causes; ++at) {
      values::Error above;
      above.message = "above";
      above.cause = std::make_shared<const values::Error>(std::move(error));
      error = std::move(above);
    }
    core::FutureRecord record;
    record.state = values::State::kFailed;
    record.outcome = values::Outcome::Failed(error);
    std::string row;
    Encode(record, row);
    const absl::StatusOr<core::FutureRecord> decoded = DecodeFuture(0, 0, row);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    int kept = 0;
    for (const values::Error* at = decoded->outcome->error->cause.get(); at != nullptr; at = at->cause.get()) ++kept;
    EXPECT_EQ(kept, std::min(causes, detail::kCausesMax));
  }
}

// Each gather holds the one below it twice: 2^100 paths, and 101 outcomes.
TEST(RowRoundTripTest, PartsThatGathersShareAreWrittenOnceAndSharedAgain) {
  values::OutcomeRef outcome = values::Outcome::Value(values::Payload::Text("shared"));
  for (int depth = 0; depth < 100; ++depth) outcome = values::Outcome::Gathered({outcome, outcome});
  core::RequestRecord request;
  request.elsewhere_state = values::State::kSucceeded;
  request.elsewhere_outcome = outcome;
  std::string row;
  Encode(request, row);
  EXPECT_LT(row.size(), 500u);
  const absl::StatusOr<core::RequestRecord> decoded = DecodeRequest(0, "", row);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const values::Outcome* here = decoded->elsewhere_outcome.get();
  for (int depth = 0; depth < 100; ++depth) {
    ASSERT_EQ(here->kind, values::Outcome::Kind::kGathered);
    ASSERT_EQ(here->gathered.size(), 2u);
    ASSERT_EQ(here->gathered[0], here->gathered[1]);
    here = here->gathered[0].get();
  }
  EXPECT_EQ(here->value.body(), "shared");
  EXPECT_EQ(decoded->elsewhere_outcome->gathered_bytes, outcome->gathered_bytes);
}

TEST(RowRoundTripTest, GathersAsDeepAsCanBeConfigured) {
  values::OutcomeRef outcome = values::Outcome::Value({});
  for (int depth = 0; depth < detail::kGathersMax; ++depth) outcome = values::Outcome::Gathered({outcome});
  core::FutureRecord record;  // a shield of the outermost, which is gone
  record.kind = values::FutureKind::kShield;
  record.state = values::State::kSucceeded;
  record.outcome = outcome;
  std::string row;
  Encode(record, row);
  const absl::StatusOr<core::FutureRecord> decoded = DecodeFuture(0, 0, row);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(Difference(record, *decoded), "");
}

core::FutureRecord FinishedJob() {
  using std::chrono::microseconds;
  core::FutureRecord record;
  record.id = {.sequence = 1'234'567, .incarnation = 12, .slot = 45'678, .shard = 3, .ns_tag = 0xabcd};
  record.ns = 1;
  record.kind = values::FutureKind::kJob;
  record.state = values::State::kSucceeded;
  record.function = 5;
  record.attempt = 1;
  record.create_time = base::Instant(microseconds(1'764'000'000'123'456));
  record.start_time = record.create_time + microseconds(180);
  record.end_time = record.create_time + microseconds(2'345);
  record.retention = std::chrono::hours(1);
  record.due = record.end_time + record.retention;
  record.completion_sequence = 1'200'000;
  record.outcome = values::Outcome::Value({});
  return record;
}

TEST(RowSizeTest, OfAFinishedJob) {
  core::FutureRecord record = FinishedJob();
  std::string row;
  Encode(record, row);
  RecordProperty("bytes", static_cast<int>(row.size()));
  EXPECT_LE(row.size(), 48u);

  record.outcome = values::Outcome::Value(values::Payload::Bytes(std::string(100, 'x')));
  std::string with_value;
  Encode(record, with_value);
  EXPECT_EQ(with_value.size(), row.size() + 101);  // and the length of the value
}

TEST(RowSizeTest, ARequestIdIsWrittenOnce) {
  core::FutureRecord record = FinishedJob();
  std::string plain, with_request;
  Encode(record, plain);
  values::Options options;
  options.request_id = std::string(36, 'u');
  core::RequestRecord& request = record.requests.emplace_back();
  request.ns = record.ns;
  request.request_id = options.request_id;
  request.id = record.id;
  request.spec_hash = 0x1234'5678'9abc'def0;
  request.window = std::chrono::minutes(10);
  record.options = std::make_shared<const values::Options>(options);
  Encode(record, with_request);
  EXPECT_LE(with_request.size(), plain.size() + 55);
}

TEST(RowSizeTest, OfAQueuedJobAndAPendingPromise) {
  core::FutureRecord job = FinishedJob();
  job.state = values::State::kQueued;
  job.attempt = 0;
  job.start_time = job.end_time = job.due = base::kNever;
  job.completion_sequence = 0;
  job.outcome = nullptr;
  std::string row;
  Encode(job, row);
  EXPECT_LE(row.size(), 32u);

  core::FutureRecord promise = job;
  promise.kind = values::FutureKind::kPromise;
  promise.state = values::State::kPending;
  promise.function = 0;
  row.clear();
  Encode(promise, row);
  EXPECT_LE(row.size(), 32u);
}

TEST(RowSizeTest, OfAMember) {
  core::MembersRecord members;
  for (uint32_t at = 0; at < 1000; ++at) {
    members.members.push_back({{.sequence = 1'000'000 + at, .incarnation = 12, .slot = at, .shard = 200, .ns_tag = 1}});
  }
  std::string row;
  Encode(members, row);
  EXPECT_LE(row.size(), 11'000u);
}

}  // namespace
}  // namespace muster::rows
