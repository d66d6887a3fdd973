#include "service/wire/convert.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/reason.h"

namespace muster::wire {
namespace {

using base::Duration;
using base::Reason;
using values::Outcome;

constexpr int64_t kDaySeconds = 86'400;

class Convert : public ::testing::Test {
 protected:
  Convert() {
    const auto body = [](jobs::JobContext&, values::Payload input) -> coro::Task<absl::StatusOr<values::Payload>> {
      co_return input;
    };
    EXPECT_TRUE(registry_.AddAsync("echo", "for tests", values::Payload(), body).ok());
    EXPECT_TRUE(directory_.ServeAll(registry_).ok());
  }
  SubmitContext Context() { return SubmitContext(limits_, directory_, Durability::kNone, values::Namespace{3, 7}); }
  absl::StatusOr<Submission> Submit(pb::FutureSpec spec) { return ToSubmit(Context(), spec, nullptr, Path("future")); }
  static pb::FutureSpec Echo() {
    pb::FutureSpec spec;
    spec.mutable_call()->set_function("echo");
    return spec;
  }
  static std::string SomeId(uint64_t sequence = 1) {
    values::FutureId id;
    id.sequence = sequence;
    return id.ToText();
  }

  values::Limits limits_;
  jobs::Registry registry_;
  dispatch::Directory directory_;
};

std::string Refusal(const absl::Status& status) {
  const auto reason = base::ReasonOf(status);
  return reason.has_value() ? std::string(base::ReasonName(*reason)) + " " + base::FieldOf(status) : status.ToString();
}

TEST_F(Convert, EachBadFieldIsRefusedWithItsPathAndReason) {
  using Change = std::function<void(pb::FutureSpec&)>;
  struct Case {
    const char* refusal;
    Change change;
  };
  const std::vector<Case> cases = {
      {"INVALID_FIELD future", [](auto& s) { s.Clear(); }},
      {"INVALID_FIELD future.call.function", [](auto& s) { s.mutable_call()->clear_function(); }},
      {"UNKNOWN_FUNCTION future.call.function", [](auto& s) { s.mutable_call()->set_function("ecco"); }},
      {"INVALID_FIELD future.call.function", [](auto& s) { s.mutable_call()->set_function(std::string(300, 'f')); }},
      {"PAYLOAD_TOO_LARGE future.call.input",
       [](auto& s) { s.mutable_call()->mutable_input()->set_data(std::string((1 << 20) + 1, 'x')); }},
      {"PAYLOAD_TOO_LARGE future.call.input",
       [](auto& s) { (*s.mutable_call()->mutable_input()->mutable_metadata())["k"] = std::string(1 << 20, 'x'); }},
      {"INVALID_FIELD future.call.input.content_type",
       [](auto& s) { s.mutable_call()->mutable_input()->set_content_type(std::string(256, 'x')); }},
      {"INVALID_ID future.gather.ids[1]",
       [](auto& s) {
         s.mutable_gather()->add_ids(SomeId());
         s.mutable_gather()->add_ids("nonsense");
       }},
      {"SET_TOO_LARGE future.gather.ids",
       [](auto& s) {
         for (int i = 0; i <= 100'000; ++i) s.mutable_gather()->add_ids("x");
       }},
      {"INVALID_ID future.shield.id", [](auto& s) { s.mutable_shield(); }},
      {"INVALID_ID future.wait_for.id", [](auto& s) { s.mutable_wait_for()->set_id("x"); }},
      {"INVALID_DURATION future.wait_for.grace",
       [](auto& s) {
         s.mutable_wait_for()->set_id(SomeId());
         s.mutable_wait_for()->mutable_grace()->set_seconds(3601);
       }},
      {"INVALID_FIELD future.options.name", [](auto& s) { s.mutable_options()->set_name(std::string(256, 'n')); }},
      {"INVALID_FIELD future.options.group", [](auto& s) { s.mutable_options()->set_group(std::string(256, 'g')); }},
      {"INVALID_FIELD future.options.request_id",
       [](auto& s) { s.mutable_options()->set_request_id(std::string(129, 'r')); }},
      {"INVALID_FIELD future.options.labels",
       [](auto& s) {
         for (int i = 0; i < 33; ++i) (*s.mutable_options()->mutable_labels())[std::to_string(i)] = "v";
       }},
      {"INVALID_FIELD future.options.labels",
       [](auto& s) { (*s.mutable_options()->mutable_labels())[std::string(64, 'k')] = "v"; }},
      {"INVALID_FIELD future.options.labels",
       [](auto& s) { (*s.mutable_options()->mutable_labels())["k"] = std::string(256, 'v'); }},
      {"INVALID_FIELD future.options.labels", [](auto& s) { (*s.mutable_options()->mutable_labels())[""] = "v"; }},
      {"INVALID_FIELD future.options.metadata",
       [](auto& s) { (*s.mutable_options()->mutable_metadata())["k"] = std::string(8192, 'v'); }},
      {"INVALID_DURATION future.options.delay", [](auto& s) { s.mutable_options()->mutable_delay()->set_seconds(-1); }},
      {"INVALID_DURATION future.options.delay",
       [](auto& s) { s.mutable_options()->mutable_delay()->set_seconds(365 * kDaySeconds + 1); }},
      {"INVALID_DURATION future.options.queue_timeout",
       [](auto& s) { s.mutable_options()->mutable_queue_timeout()->set_nanos(1'000'000'000); }},
      {"INVALID_DURATION future.options.run_timeout",
       [](auto& s) { s.mutable_options()->mutable_run_timeout()->set_seconds(std::numeric_limits<int64_t>::max()); }},
      {"INVALID_DURATION future.options.retention",
       [](auto& s) { s.mutable_options()->mutable_retention()->set_seconds(30 * kDaySeconds + 1); }},
      {"INVALID_DURATION future.options.request_id_ttl",
       [](auto& s) { s.mutable_options()->mutable_request_id_ttl()->set_seconds(kDaySeconds + 1); }},
      {"DURABILITY_UNAVAILABLE future.options.min_durability",
       [](auto& s) { s.mutable_options()->set_min_durability(pb::DURABILITY_SYNC); }},
      {"INVALID_FIELD future.options.min_durability",
       [](auto& s) { s.mutable_options()->set_min_durability(static_cast<pb::Durability>(9)); }},
      {"INVALID_FIELD future.options.execution",
       [](auto& s) { s.mutable_options()->set_execution(static_cast<pb::Execution>(-4)); }},
      {"INVALID_FIELD future.options.cancel_on_disconnect",
       [](auto& s) { s.mutable_options()->set_cancel_on_disconnect(true); }},
      {"INVALID_FIELD future.options.run_timeout",
       [](auto& s) {
         s.mutable_gather();
         s.mutable_options()->mutable_run_timeout()->set_seconds(1);
       }},
  };
  for (const Case& each : cases) {
    pb::FutureSpec spec = Echo();
    each.change(spec);
    const auto result = Submit(std::move(spec));
    ASSERT_FALSE(result.ok()) << each.refusal;
    EXPECT_EQ(Refusal(result.status()), each.refusal) << result.status();
  }
}

TEST_F(Convert, AnUnknownFunctionNamesOneThatResembles) {
  pb::FutureSpec spec;
  spec.mutable_call()->set_function("ecoh");
  const std::string message(Submit(spec).status().message());
  EXPECT_NE(message.find("echo"), std::string::npos) << message;
}

TEST_F(Convert, EverythingAtItsLimitIsTaken) {
  pb::FutureSpec spec = Echo();
  spec.mutable_call()->mutable_input()->set_data(std::string(1 << 20, 'x'));
  pb::FutureOptions& options = *spec.mutable_options();
  options.set_name(std::string(255, 'n'));
  options.set_group(std::string(255, 'g'));
  options.set_request_id(std::string(128, 'r'));
  for (int i = 0; i < 32; ++i) {
    (*options.mutable_labels())[std::string(61, 'k') + std::to_string(10 + i)] = std::string(255, 'v');
  }
  (*options.mutable_metadata())["k"] = std::string(8191, 'v');
  options.mutable_delay()->set_seconds(365 * kDaySeconds);
  options.mutable_queue_timeout();
  options.mutable_run_timeout()->set_nanos(1);
  options.mutable_retention()->set_seconds(30 * kDaySeconds);
  options.mutable_request_id_ttl()->set_seconds(kDaySeconds);
  options.set_min_durability(pb::DURABILITY_NONE);
  options.set_execution(pb::EXECUTION_AT_MOST_ONCE);
  const auto submission = Submit(spec);
  ASSERT_TRUE(submission.ok()) << submission.status();
  const core::Submit& command = submission->command;
  EXPECT_EQ(command.ns, 3u);
  EXPECT_EQ(command.ns_tag, 7);
  EXPECT_EQ(command.retention, std::chrono::hours(24 * 30));
  ASSERT_NE(command.options, nullptr);
  EXPECT_EQ(command.options->labels.size(), 32u);
  EXPECT_EQ(command.options->queue_timeout, Duration::zero());
  EXPECT_EQ(command.options->run_timeout, Duration(1)) << "rounded away from nothing";
  EXPECT_TRUE(command.options->at_most_once);
  EXPECT_NE(command.spec_hash, 0u);
  EXPECT_FALSE(command.drop_when_delivered);
}

TEST_F(Convert, DefaultsCostNothing) {
  const auto submission = Submit(Echo());
  ASSERT_TRUE(submission.ok());
  EXPECT_EQ(submission->command.options, nullptr);
  EXPECT_EQ(submission->command.retention, std::chrono::hours(1));
  EXPECT_EQ(submission->command.spec_hash, 0u);
}

TEST_F(Convert, AnAttachedJobIsDroppedWhenDeliveredUnlessItIsRepeatable) {
  SubmitContext context = Context();
  context.attached = true;
  pb::FutureSpec spec = Echo();
  EXPECT_TRUE(ToSubmit(context, spec, nullptr, Path("future"))->command.drop_when_delivered);
  spec.mutable_options()->set_request_id("r");
  spec.mutable_options()->set_cancel_on_disconnect(true);
  const auto repeatable = ToSubmit(context, spec, nullptr, Path("future"));
  ASSERT_TRUE(repeatable.ok());
  EXPECT_FALSE(repeatable->command.drop_when_delivered);
  EXPECT_TRUE(repeatable->cancel_on_disconnect);
  context.request_id = "session/1";
  spec.mutable_options()->set_request_id("r");  // the submit before took it
  EXPECT_EQ(Refusal(ToSubmit(context, spec, nullptr, Path("future")).status()),
            "INVALID_FIELD future.options.request_id");
  spec.clear_options();
  EXPECT_EQ(ToSubmit(context, spec, nullptr, Path("future"))->command.options->request_id, "session/1");
}

TEST_F(Convert, DefaultsStandForOptionsThatAreNotGiven) {
  pb::FutureOptions defaults;
  defaults.set_name("default");
  pb::FutureSpec spec = Echo();
  EXPECT_EQ(ToSubmit(Context(), spec, &defaults, Path("f"))->command.options->name, "default");
  spec.mutable_options()->set_group("g");
  EXPECT_EQ(ToSubmit(Context(), spec, &defaults, Path("f"))->command.options->name, "");
}

TEST_F(Convert, TheHashIsOfTheSpecWithoutTheRequestIdAndStable) {
  pb::FutureSpec spec = Echo();
  for (int i = 0; i < 20; ++i) (*spec.mutable_options()->mutable_labels())["k" + std::to_string(i)] = "v";
  spec.mutable_options()->set_request_id("one");
  const uint64_t hash = Submit(spec)->command.spec_hash;
  pb::FutureSpec again = Echo();
  for (int i = 19; i >= 0; --i) (*again.mutable_options()->mutable_labels())["k" + std::to_string(i)] = "v";
  again.mutable_options()->set_request_id("two");
  EXPECT_EQ(Submit(again)->command.spec_hash, hash);
  again.mutable_call()->mutable_input()->set_text("x");
  EXPECT_NE(Submit(again)->command.spec_hash, hash);
  pb::FutureSpec plain = Echo();
  plain.mutable_options()->set_request_id("r");
  EXPECT_EQ(Submit(plain)->command.spec_hash, 0xab2380a151734939ull) << "it is stored: a change is a break";
}

TEST_F(Convert, APromiseTakesNoOptionsOfJobs) {
  pb::FutureOptions options;
  options.set_name("p");
  ASSERT_TRUE(ToPromise(Context(), options, Path("options")).ok());
  options.mutable_delay()->set_seconds(1);
  EXPECT_EQ(Refusal(ToPromise(Context(), options, Path("options")).status()), "INVALID_FIELD options.delay");
}

TEST(ToDuration, ChecksFormRangeAndRounds) {
  struct Case {
    int64_t seconds;
    int32_t nanos;
    bool ok;
    int64_t micros;
  };
  const Case cases[] = {
      {0, 0, true, 0},
      {1, 500, true, 1'000'001},
      {0, 1, true, 1},
      {-1, -1, true, -1'000'001},
      {1, -1, false, 0},
      {-1, 1, false, 0},
      {0, 1'000'000'000, false, 0},
      {0, -1'000'000'000, false, 0},
      {315'576'000'001, 0, false, 0},
      {std::numeric_limits<int64_t>::min(), 0, false, 0},
      {std::numeric_limits<int64_t>::max(), std::numeric_limits<int32_t>::max(), false, 0},
      {315'576'000'000, 999'999'999, true, 315'576'000'001'000'000},
  };
  for (const Case& each : cases) {
    google::protobuf::Duration given;
    given.set_seconds(each.seconds);
    given.set_nanos(each.nanos);
    const auto result = ToDuration(given, Duration::min(), Duration::max(), Path("d"));
    EXPECT_EQ(result.ok(), each.ok) << each.seconds << " " << each.nanos;
    if (each.ok && result.ok()) {
      EXPECT_EQ(result->count(), each.micros);
    }
  }
}

TEST_F(Convert, SetsAreExactlyIdsOrAGroup) {
  pb::FutureSet set;
  EXPECT_EQ(Refusal(ToSet(set, limits_, EmptySet::kRefused, Path("set")).status()), "EMPTY_SET set");
  EXPECT_TRUE(ToSet(set, limits_, EmptySet::kAllowed, Path("set")).ok());
  set.set_group("g");
  set.add_ids(SomeId());
  EXPECT_EQ(Refusal(ToSet(set, limits_, EmptySet::kAllowed, Path("set")).status()), "EMPTY_SET set");
  set.clear_group();
  EXPECT_EQ(ToSet(set, limits_, EmptySet::kRefused, Path("set"))->ids.size(), 1u);
  limits_.set_max = 1;
  set.add_ids(SomeId());
  EXPECT_EQ(Refusal(ToSet(set, limits_, EmptySet::kRefused, Path("set")).status()), "SET_TOO_LARGE set.ids");
}

TEST_F(Convert, ErrorsComeInWithTheirCausesUpToALimit) {
  pb::Error error;
  error.set_type("T");
  error.set_message("m");
  pb::Error* at = &error;
  for (int i = 0; i < 8; ++i) at = at->mutable_cause();
  at->set_message("root");
  pb::Error copy = error;
  const auto outcome = ToFailure(copy, limits_, Path("error"));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ((*outcome)->error->kind, values::ErrorKind::kApplication);
  pb::Error back;
  ASSERT_TRUE(FromError(*(*outcome)->error, 1, back));
  EXPECT_EQ(back.cause().cause().cause().cause().cause().cause().cause().cause().message(), "root");
  at->mutable_cause();
  EXPECT_EQ(Refusal(ToFailure(error, limits_, Path("error")).status()),
            "INVALID_FIELD error.cause.cause.cause.cause.cause.cause.cause.cause.cause");
  pb::Error odd;
  odd.set_kind(static_cast<pb::ErrorKind>(40));
  EXPECT_EQ(Refusal(ToFailure(odd, limits_, Path("error")).status()), "INVALID_FIELD error.kind");
  pb::Error large;
  large.set_message(std::string((1 << 20) + 1, 'm'));
  EXPECT_EQ(Refusal(ToFailure(large, limits_, Path("error")).status()), "PAYLOAD_TOO_LARGE error");
}

// --- To the wire ----------------------------------------------------------------------------------------------------

TEST(FromOutcome, LeavesOutWhatHasNoRoomAndTakesWhatHas) {
  const auto outcome = Outcome::Value(values::Payload::Bytes(std::string(1000, 'x')));
  pb::Outcome out;
  Room small(1000, 2);
  EXPECT_FALSE(FromOutcome(*outcome, small, out));
  EXPECT_EQ(out.ByteSizeLong(), 0u);
  EXPECT_EQ(small.bytes, 1000u);
  Room enough(1100, 2);
  EXPECT_TRUE(FromOutcome(*outcome, enough, out));
  EXPECT_LT(enough.bytes, 100u);
}

TEST(FromOutcome, AGatherThatSharesItsPartsIsMeasuredBeforeItIsBuilt) {
  values::OutcomeRef outcome = Outcome::Value(values::Payload::Bytes("x"));
  for (int level = 0; level < 12; ++level) outcome = Outcome::Gathered(std::vector<values::OutcomeRef>(100, outcome));
  Room room(4 << 20, 2);
  pb::Outcome out;
  EXPECT_FALSE(FromOutcome(*outcome, room, out));
}

TEST(FromOutcome, NestingThatParsersRefuseIsLeftOut) {
  // A list in a list ...: each takes two levels of messages.
  const auto nested = [](int depth) {
    google::protobuf::Value value;
    google::protobuf::Value* at = &value;
    for (int i = 0; i < depth; ++i) at = at->mutable_list_value()->add_values();
    values::Payload::Content content;
    content.encoding = values::Encoding::kJson;
    value.SerializeToString(&content.body);
    return Outcome::Value(values::Payload(std::move(content)));
  };
  for (const int depth : {10, 40, 47, 48, 49}) {
    pb::GetResponse response;
    Room room(1 << 20, 2);
    const bool fits = FromOutcome(*nested(depth), room, *response.mutable_future()->mutable_outcome());
    EXPECT_EQ(fits, depth <= 48) << depth;
    pb::GetResponse parsed;
    EXPECT_TRUE(parsed.ParseFromString(response.SerializeAsString())) << depth;
  }
  values::OutcomeRef gathered = nested(40);
  for (int level = 0; level < 8; ++level) {
    gathered = Outcome::Gathered({gathered});
    pb::GetResponse response;
    Room room(1 << 20, 2);
    FromOutcome(*gathered, room, *response.mutable_future()->mutable_outcome());
    pb::GetResponse parsed;
    EXPECT_TRUE(parsed.ParseFromString(response.SerializeAsString())) << level;
  }
}

TEST(FromInstant, SplitsSecondsAndNanosAlsoBeforeTheEpoch) {
  const auto after = FromInstant(base::Instant(Duration(1'500'000)));
  EXPECT_EQ(after.seconds(), 1);
  EXPECT_EQ(after.nanos(), 500'000'000);
  const auto before = FromInstant(base::Instant(Duration(-1)));
  EXPECT_EQ(before.seconds(), -1);
  EXPECT_EQ(before.nanos(), 999'999'000);
}

TEST(FromView, ShowsEveryField) {
  const dispatch::Directory directory;
  core::FutureView view;
  view.id.sequence = 9;
  view.kind = values::FutureKind::kShield;
  view.state = values::State::kCancelled;
  view.cancelling = 2;
  view.name = "n";
  values::Options options;
  options.labels["k"] = "v";
  options.group = "g";
  view.options = std::make_shared<const values::Options>(std::move(options));
  view.create_time = base::Instant(std::chrono::seconds(5));
  view.start_time = view.expire_time = base::kNever;
  view.end_time = base::Instant(std::chrono::seconds(6));
  view.members.push_back(view.id);
  view.outcome = Outcome::Cancelled("why");
  pb::Future out;
  Room room(10'000, 2);
  FromView(view, "ns", directory, Durability::kSync, room, out);
  EXPECT_EQ(out.namespace_(), "ns");
  EXPECT_EQ(out.function(), "");
  EXPECT_EQ(out.state(), pb::FUTURE_STATE_CANCELLED);
  EXPECT_EQ(out.labels().at("k"), "v");
  EXPECT_EQ(out.group(), "g");
  EXPECT_EQ(out.create_time().seconds(), 5);
  EXPECT_FALSE(out.has_start_time());
  EXPECT_FALSE(out.has_expire_time());
  EXPECT_EQ(out.end_time().seconds(), 6);
  EXPECT_EQ(out.durability(), pb::DURABILITY_SYNC);
  EXPECT_EQ(out.member_ids_size(), 1);
  EXPECT_EQ(out.outcome().cancelled().message(), "why");
  EXPECT_FALSE(out.has_progress());
  pb::Future tight;
  Room none(0, 2);
  FromView(view, "ns", directory, Durability::kSync, none, tight);
  EXPECT_TRUE(tight.outcome_omitted());
  EXPECT_FALSE(tight.has_outcome());
}

}  // namespace
}  // namespace muster::wire
