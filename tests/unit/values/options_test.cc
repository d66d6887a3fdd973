#include "service/values/options.h"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/values/bounds.h"

namespace muster::values {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

std::string Refusal(const Options& options, const Limits& limits = {}) {
  const absl::Status status = CheckOptions(options, limits, Path("options"));
  const auto reason = base::ReasonOf(status);
  return reason ? std::string(base::ReasonName(*reason)) + " " + std::string(status.message()) : "";
}

Words Labels(size_t count, size_t key, size_t value) {
  Words words;
  for (size_t i = 0; i < count; ++i)
    words[std::string(key - 2, 'k') + std::to_string(10 + i)] = std::string(value, 'v');
  return words;
}

// What the table holds each option to: the last value that is taken, the first that is not, and the refusal.
TEST(CheckOptions, EachIsHeldToItsBound) {
  using Change = std::function<void(Options&)>;
  struct Case {
    Change taken, refused;
    std::string refusal;
  };
  const auto within = [](auto field, auto last, auto first, std::string refusal) {
    return Case{[=](Options& o) { o.*field = last; }, [=](Options& o) { o.*field = first; }, std::move(refusal)};
  };
  const auto text = [&](Text Options::* field, size_t most, const std::string& name) {
    return within(field, std::string(most, 'x'), std::string(most + 1, 'x'),
                  "INVALID_FIELD options." + name + ": \"" + std::string(61, 'x') + "...\" has " +
                      std::to_string(most + 1) + " bytes; at most " + std::to_string(most) + " are allowed");
  };
  const auto span = [&](auto field, base::Duration most, const std::string& name, const std::string& texts) {
    return within(field, most, most + microseconds(1), "INVALID_DURATION options." + name + ": " + texts);
  };
  const auto not_negative = [&](auto field, const std::string& name) {
    return within(field, seconds(0), microseconds(-1),
                  "INVALID_DURATION options." + name + ": -1e-06 s is too short; give at least 0 s");
  };
  const Limits limits;
  const std::vector<Case> cases = {
      text(&Options::name, 255, "name"),
      text(&Options::group, 255, "group"),
      text(&Options::request_id, 128, "request_id"),
      within(&Options::labels, Labels(32, 63, 255), Labels(33, 3, 1),
             "INVALID_FIELD options.labels: 33 labels; at most 32 are allowed"),
      within(&Options::labels, Labels(1, 63, 1), Labels(1, 64, 1),
             "INVALID_FIELD options.labels: \"" + std::string(62, 'k') + "10\" has 64 bytes; at most 63 are allowed"),
      within(
          &Options::labels, Labels(1, 3, 255), Labels(1, 3, 256),
          "INVALID_FIELD options.labels: \"" + std::string(61, 'v') + "...\" has 256 bytes; at most 255 are allowed"),
      within(&Options::labels, Words{}, Words{{"", "v"}}, "INVALID_FIELD options.labels: a label's key is empty"),
      within(&Options::metadata, Labels(8, 24, 1000), Labels(8, 24, 1001),
             "INVALID_FIELD options.metadata: 8200 bytes of keys and values; at most 8192 are allowed"),
      span(&Options::request_id_ttl, limits.request_id_ttl_max, "request_id_ttl",
           "86400.000001 s is too long; give at most 86400 s"),
      span(&Options::delay, limits.delay_max, "delay", "31536000.000001 s is too long; give at most 31536000 s"),
      span(&Options::queue_timeout, limits.delay_max, "queue_timeout",
           "31536000.000001 s is too long; give at most 31536000 s"),
      span(&Options::run_timeout, limits.delay_max, "run_timeout",
           "31536000.000001 s is too long; give at most 31536000 s"),
      not_negative(&Options::request_id_ttl, "request_id_ttl"),
      not_negative(&Options::delay, "delay"),
      not_negative(&Options::queue_timeout, "queue_timeout"),
      not_negative(&Options::run_timeout, "run_timeout"),
  };
  for (const Case& each : cases) {
    Options taken, refused;
    each.taken(taken);
    EXPECT_EQ(Refusal(taken), "") << each.refusal;
    each.refused(refused);
    EXPECT_EQ(Refusal(refused), each.refusal);
  }
}

TEST(CheckOptions, TheServersLimitsHold) {
  Limits limits;
  limits.delay_max = seconds(10);
  Options options;
  options.run_timeout = seconds(10);
  EXPECT_EQ(Refusal(options, limits), "");
  options.run_timeout = seconds(11);
  EXPECT_NE(Refusal(options, limits), "");
}

TEST(CheckOptions, TheFieldIsNamed) {
  Options options;
  options.group = std::string(kGroupMax + 1, 'g');
  const Path spec("futures", 3);
  EXPECT_EQ(base::FieldOf(CheckOptions(options, Limits(), Path(spec, "options"))), "futures[3].options.group");
}

TEST(Options, ADurationCanBeAbsentAndZero) {
  MaybeDuration duration;
  EXPECT_FALSE(duration);
  duration = seconds(0);
  ASSERT_TRUE(duration);
  EXPECT_EQ(*duration, seconds(0));
  EXPECT_EQ(duration, base::Duration::zero());
  duration = std::nullopt;
  EXPECT_EQ(duration, MaybeDuration());
}

TEST(Options, AreEqualWhenAllOfThemAre) {
  const std::vector<std::function<void(Options&)>> changes = {
      [](Options& o) { o.name = "n"; },
      [](Options& o) { o.labels["k"] = "v"; },
      [](Options& o) { o.group = "g"; },
      [](Options& o) { o.request_id = "r"; },
      [](Options& o) { o.request_id_ttl = seconds(1); },
      [](Options& o) { o.delay = seconds(1); },
      [](Options& o) { o.queue_timeout = seconds(0); },
      [](Options& o) { o.run_timeout = seconds(0); },
      [](Options& o) { o.execution = Execution::kAtMostOnce; },
      [](Options& o) { o.metadata["k"] = "v"; },
  };
  for (const auto& change : changes) {
    Options changed;
    change(changed);
    EXPECT_FALSE(changed == Options());
    const Options copy = changed;
    EXPECT_EQ(copy == changed, true);
  }
}

TEST(Options, TheirTextsCount) {
  Options options;
  EXPECT_EQ(ByteSize(options), 0u);
  options.name = "1";
  options.group = "22";
  options.request_id = "333";
  options.labels["4"] = "444";
  options.metadata["55"] = "555";
  options.delay = seconds(1);
  EXPECT_EQ(ByteSize(options), 15u);
}

// A million jobs that start tomorrow hold a million of these (docs/explanation/performance.md, bytes_future).
TEST(Options, AreSmallAndTakeNoBlocksForWhatIsNotSaid) {
  EXPECT_LE(sizeof(Options), 80u);
  const size_t before = base::BlockPool::ThreadMisses();
  Options options;
  options.delay = seconds(1);
  options.run_timeout = seconds(1);
  options.execution = Execution::kAtMostOnce;
  EXPECT_EQ(base::BlockPool::ThreadMisses(), before);
}

}  // namespace
}  // namespace muster::values
