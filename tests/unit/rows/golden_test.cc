// The upgrade test: rows that version 1 of the form wrote, which are read for ever. golden_v1.txt was written by the
// encoder once and is frozen; each line is a name, a key and a value, in hexadecimal. A row that is to be added is
// printed by the test that misses it. Never change a line: servers have written such rows.
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/rows/rows.h"
#include "tests/unit/rows/records.h"

namespace muster::rows {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

struct Golden {
  std::string name;
  std::string key;
  std::string encoded;
  std::function<std::string(std::string_view)> check;  // "", or what is wrong with what was read
};

const base::Instant kCreated = base::Instant(microseconds(1'764'000'000'123'456));

values::FutureId IdOf(uint64_t sequence) {
  return {.sequence = sequence, .incarnation = 12, .slot = 45'678, .shard = 3, .ns_tag = 0xabcd};
}
values::FutureId Elsewhere(uint64_t sequence) {
  return {.sequence = sequence, .incarnation = 9, .slot = 7, .shard = 600, .ns_tag = 0xabcd};
}

core::FutureRecord Base(uint64_t sequence, values::FutureKind kind, values::State state) {
  core::FutureRecord record;
  record.id = IdOf(sequence);
  record.ns = 2;
  record.kind = kind;
  record.state = state;
  record.create_time = kCreated;
  record.retention = hours(1);
  return record;
}

void End(core::FutureRecord& record, values::OutcomeRef outcome) {
  record.end_time = kCreated + microseconds(2'345);
  record.due = record.end_time + record.retention;
  record.completion_sequence = 1'200'000;
  record.outcome = std::move(outcome);
}

values::Payload FullPayload() {
  values::Payload::Content content;
  content.encoding = values::Encoding::kJson;
  content.body = "{}";
  content.content_type = "application/json";
  content.metadata = {{"a", "1"}, {"b", ""}};
  return values::Payload(std::move(content));
}

values::OutcomeRef FailedWithCauses() {
  values::Error root;
  root.kind = values::ErrorKind::kInvalidInput;
  root.type = "KeyError";
  values::Error error;
  error.kind = values::ErrorKind::kTimedOut;
  error.type = "TimeoutError";
  error.message = "not within 5 s";
  error.details = FullPayload();
  error.origin = Elsewhere(99);
  error.cause = std::make_shared<const values::Error>(std::move(root));
  return values::Outcome::Failed(std::move(error));
}

values::OutcomeRef GatherOfGathers() {
  const values::OutcomeRef one = values::Outcome::Value(values::Payload::Text("one"));
  const values::OutcomeRef inner =
      values::Outcome::Gathered({one, FailedWithCauses(), values::Outcome::Cancelled("enough", IdOf(5)), one});
  return values::Outcome::Gathered({inner, values::Outcome::Value({}), inner, values::Outcome::Gathered({})});
}

core::FutureRecord FinishedJob() {
  core::FutureRecord record = Base(101, values::FutureKind::kJob, values::State::kSucceeded);
  record.function = 5;
  record.attempt = 1;
  record.start_time = kCreated + microseconds(180);
  End(record, values::Outcome::Value(values::Payload::Bytes("result")));
  record.retrieved = true;
  return record;
}

core::FutureRecord RunningJobWithEverything() {
  core::FutureRecord record = Base(102, values::FutureKind::kJob, values::State::kRunning);
  record.function = 300;
  record.function_kind = values::FunctionKind::kProcess;
  record.attempt = 3;
  record.cancelling = 2;
  record.start_time = kCreated - microseconds(7);  // the clock may have been set back between two servers
  record.cancel_time = kCreated + seconds(2);
  record.due = kCreated + seconds(60);
  record.hidden = record.expired = record.drop_when_delivered = record.run_timed_out = record.cancel_missed = true;
  record.cancel_message = "stop";
  values::Options options;
  options.name = "job";
  options.labels = {{"team", "blue"}, {"x", "y"}};
  options.group = "group";
  options.request_id = "request-1";
  options.request_id_ttl = hours(2);
  options.delay = seconds(3);
  options.queue_timeout = seconds(4);
  options.run_timeout = seconds(5);
  options.metadata = {{"trace", "00-11"}};
  options.execution = values::Execution::kAtMostOnce;
  record.options = std::make_shared<const values::Options>(std::move(options));
  core::RequestRecord& own = record.requests.emplace_back();
  own.ns = record.ns;
  own.request_id = "request-1";
  own.id = record.id;
  own.spec_hash = 0x0123456789abcdef;
  own.window = hours(2);
  core::RequestRecord& other = record.requests.emplace_back();
  other.ns = 4;
  other.request_id = "request-2";
  other.id = Elsewhere(8);
  other.expire_time = kCreated + hours(3);
  other.elsewhere_state = values::State::kFailed;
  other.elsewhere_outcome = FailedWithCauses();
  record.remote_cancels = {{Elsewhere(77), 4, 3, 2}, {Elsewhere(78), 0, 1, 0}};
  return record;
}

core::FutureRecord DelayedJob() {
  core::FutureRecord record = Base(103, values::FutureKind::kJob, values::State::kDelayed);
  record.due = kCreated + seconds(30);
  values::Options options;
  options.request_id = "not the first's";
  options.delay = seconds(30);
  record.options = std::make_shared<const values::Options>(std::move(options));
  return record;
}

core::FutureRecord SettledPromise() {
  core::FutureRecord record = Base(104, values::FutureKind::kPromise, values::State::kCancelled);
  record.cancelling = 1;
  record.cancel_time = kCreated + microseconds(2'345);
  record.settle_request_id = "settle-1";
  End(record, values::Outcome::Cancelled("no longer wanted"));
  return record;
}

core::FutureRecord SucceededGather() {
  core::FutureRecord record = Base(105, values::FutureKind::kGather, values::State::kSucceeded);
  End(record, nullptr);
  record.combinator.emplace();
  record.combinator->return_exceptions = true;
  record.combinator->depth = 2;
  record.combinator->cancels_sent = {{0, 1}, {300, 2}};
  return record;
}

core::FutureRecord Shield() {
  core::FutureRecord record = Base(106, values::FutureKind::kShield, values::State::kSucceeded);
  End(record, GatherOfGathers());
  record.combinator.emplace();
  return record;
}

core::FutureRecord WaitFor() {
  core::FutureRecord record = Base(107, values::FutureKind::kWaitFor, values::State::kPending);
  record.due = kCreated + seconds(5);
  record.combinator.emplace();
  record.combinator->timeout = seconds(5);
  record.combinator->grace = seconds(10);
  record.combinator->cancel_requested = record.combinator->cancel_in_doubt = record.combinator->polling = true;
  record.combinator->expiring = record.combinator->must_cancel = true;
  record.combinator->cancels_passed = 6;
  record.combinator->cancel_message = "late";
  return record;
}

core::FutureRecord FailedJob() {
  core::FutureRecord record = Base(108, values::FutureKind::kJob, values::State::kFailed);
  End(record, FailedWithCauses());
  record.due = base::kNever;
  return record;
}

// One row for each flag alone and each value of an enum, so that none can change places with another unnoticed.
core::FutureRecord WithFlag(bool core::FutureRecord::* flag) {
  core::FutureRecord record = Base(201, values::FutureKind::kJob, values::State::kQueued);
  record.*flag = true;
  return record;
}

core::FutureRecord WithFlag(bool core::CombinatorRecord::* flag) {
  core::FutureRecord record = Base(202, values::FutureKind::kGather, values::State::kPending);
  record.combinator.emplace();
  (*record.combinator).*flag = true;
  return record;
}

core::FutureRecord WithError(values::ErrorKind kind) {
  core::FutureRecord record = Base(203, values::FutureKind::kJob, values::State::kFailed);
  values::Error error;
  error.kind = kind;
  End(record, values::Outcome::Failed(std::move(error)));
  return record;
}

core::FutureRecord WithValue(values::Encoding encoding) {
  core::FutureRecord record = Base(204, values::FutureKind::kPromise, values::State::kSucceeded);
  values::Payload::Content content;
  content.encoding = encoding;
  End(record, values::Outcome::Value(values::Payload(std::move(content))));
  return record;
}

core::FutureRecord WithFunctionKind(values::FunctionKind kind) {
  core::FutureRecord record = Base(205, values::FutureKind::kJob, values::State::kQueued);
  record.function_kind = kind;
  return record;
}

template <typename Record>
Golden Row(std::string name, std::string key, const Record& record,
           std::function<std::string(std::string_view)> check) {
  Golden row{std::move(name), std::move(key), {}, std::move(check)};
  Encode(record, row.encoded);
  return row;
}

// For records that compare themselves.
template <typename Record, typename Decode>
std::function<std::string(std::string_view)> Equals(const Record& record, Decode decode) {
  return [record, decode](std::string_view value) -> std::string {
    const absl::StatusOr<Record> read = decode(value);
    if (!read.ok()) return std::string(read.status().message());
    return *read == record ? "" : "another value";
  };
}

Golden Future(std::string name, const core::FutureRecord& record) {
  std::string key;
  FutureKey(record.id.shard, record.id.sequence, Part::kFuture, key);
  return Row(std::move(name), key, record, [record](std::string_view value) {
    const absl::StatusOr<core::FutureRecord> read = DecodeFuture(record.id.shard, record.id.sequence, value);
    return read.ok() ? Difference(record, *read) : std::string(read.status().message());
  });
}

Golden Input() {
  std::string key;
  FutureKey(3, 101, Part::kInput, key);
  return Row("input", key, FullPayload(), [](std::string_view value) -> std::string {
    const absl::StatusOr<values::Payload> read = DecodePayload(value);
    if (!read.ok()) return std::string(read.status().message());
    return Same(*read, FullPayload()) ? "" : "another payload";
  });
}

Golden Members() {
  std::string key;
  FutureKey(3, 105, Part::kMembers, key);
  core::MembersRecord members;
  members.members = {{IdOf(101), 2}, {Elsewhere(1'000'000), 1}};
  members.positions = {0, 1, 0};
  return Row("members", key, members, Equals(members, DecodeMembers));
}

Golden Request() {
  core::RequestRecord request;
  request.ns = 2;
  request.request_id = "request-3";
  request.id = Elsewhere(55);
  request.spec_hash = 0xfedcba9876543210;
  request.window = std::chrono::minutes(10);
  request.expire_time = kCreated + hours(1);
  request.elsewhere_state = values::State::kSucceeded;
  request.elsewhere_outcome = GatherOfGathers();
  std::string key;
  RequestKey(3, 2, request.request_id, key);
  return Row("request", key, request, [request](std::string_view value) -> std::string {
    const absl::StatusOr<core::RequestRecord> read = DecodeRequest(request.ns, request.request_id, value);
    if (!read.ok()) return std::string(read.status().message());
    return Same(request, *read) ? "" : "another record";
  });
}

std::vector<Golden> GoldenRows() {
  std::string marks_key, namespace_key, function_key, header_key;
  MarksKey(3, marks_key);
  NamespaceKey(2, namespace_key);
  FunctionKey(300, function_key);
  HeaderKey(header_key);
  const core::MarksRecord marks{.last_sequence = 1'234'567, .last_completion = 300};
  const FunctionRow function{.name = "http.request", .kind = values::FunctionKind::kBlocking};
  const HeaderRow header{.schema = 1, .shards = 64, .written_by = "0.1.0"};
  std::vector<Golden> rows = {
      Row("marks", marks_key, marks, Equals(marks, DecodeMarks)),
      Row("function", function_key, function, Equals(function, DecodeFunction)),
      Row("header", header_key, header, Equals(header, DecodeHeader)),
      {"namespace", namespace_key, {}, Equals(std::string("default"), DecodeName)},
      Input(),
      Members(),
      Request(),
      Future("job_finished", FinishedJob()),
      Future("job_running_with_everything", RunningJobWithEverything()),
      Future("job_delayed", DelayedJob()),
      Future("job_failed", FailedJob()),
      Future("promise_cancelled", SettledPromise()),
      Future("gather_succeeded", SucceededGather()),
      Future("shield_of_a_gather_that_is_gone", Shield()),
      Future("wait_for_pending", WaitFor()),
      Future("flag_hidden", WithFlag(&core::FutureRecord::hidden)),
      Future("flag_expired", WithFlag(&core::FutureRecord::expired)),
      Future("flag_drop_when_delivered", WithFlag(&core::FutureRecord::drop_when_delivered)),
      Future("flag_retrieved", WithFlag(&core::FutureRecord::retrieved)),
      Future("flag_run_timed_out", WithFlag(&core::FutureRecord::run_timed_out)),
      Future("flag_cancel_missed", WithFlag(&core::FutureRecord::cancel_missed)),
      Future("flag_return_exceptions", WithFlag(&core::CombinatorRecord::return_exceptions)),
      Future("flag_cancel_requested", WithFlag(&core::CombinatorRecord::cancel_requested)),
      Future("flag_cancel_in_doubt", WithFlag(&core::CombinatorRecord::cancel_in_doubt)),
      Future("flag_polling", WithFlag(&core::CombinatorRecord::polling)),
      Future("flag_expiring", WithFlag(&core::CombinatorRecord::expiring)),
      Future("flag_must_cancel", WithFlag(&core::CombinatorRecord::must_cancel)),
      Future("error_application", WithError(values::ErrorKind::kApplication)),
      Future("error_cancelled", WithError(values::ErrorKind::kCancelled)),
      Future("error_timed_out", WithError(values::ErrorKind::kTimedOut)),
      Future("error_queue_timed_out", WithError(values::ErrorKind::kQueueTimedOut)),
      Future("error_interrupted", WithError(values::ErrorKind::kInterrupted)),
      Future("error_invalid_input", WithError(values::ErrorKind::kInvalidInput)),
      Future("value_none", WithValue(values::Encoding::kNone)),
      Future("value_bytes", WithValue(values::Encoding::kBytes)),
      Future("value_text", WithValue(values::Encoding::kText)),
      Future("value_json", WithValue(values::Encoding::kJson)),
      Future("function_async", WithFunctionKind(values::FunctionKind::kAsync)),
      Future("function_blocking", WithFunctionKind(values::FunctionKind::kBlocking)),
      Future("function_process", WithFunctionKind(values::FunctionKind::kProcess)),
      Future("function_remote", WithFunctionKind(values::FunctionKind::kRemote)),
  };
  EncodeName("default", rows[3].encoded);
  return rows;
}

TEST(GoldenRowsTest, RowsOfVersion1ReadAsTheyDidAndAreStillWrittenSo) {
  std::ifstream file(MUSTER_GOLDEN_V1);
  ASSERT_TRUE(file.is_open()) << MUSTER_GOLDEN_V1;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] != '#') lines.push_back(line);
  }
  const std::vector<Golden> rows = GoldenRows();
  EXPECT_EQ(lines.size(), rows.size());
  for (const Golden& row : rows) {
    const std::string written = row.name + " " + ToHex(row.key) + " " + ToHex(row.encoded);
    std::string name, key, value;
    for (const std::string& line : lines) {
      std::istringstream words(line);
      if (words >> name >> key >> value && name == row.name) break;
    }
    if (name != row.name) {
      ADD_FAILURE() << "no such row in the golden file:\n" << written;
      continue;
    }
    EXPECT_EQ(key, ToHex(row.key)) << row.name;
    EXPECT_EQ(row.check(FromHex(value)), "") << row.name;
    EXPECT_EQ(value, ToHex(row.encoded)) << row.name;
  }
}

}  // namespace
}  // namespace muster::rows
