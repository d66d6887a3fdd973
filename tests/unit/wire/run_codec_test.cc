// The codec of Run against protobuf, which is right by definition: over messages of all shapes, over what other writers
// might make, and over bytes that are no messages.
#include "service/wire/run_codec.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/stubs/common.h>
#include <gtest/gtest.h>

#include "fmt/format.h"

#include "service/base/reason.h"
#include "service/wire/status.h"
#include "tests/unit/wire/run_messages.h"

namespace muster::wire {
namespace {

using google::protobuf::FieldDescriptor;
using Random = std::mt19937_64;

constexpr uint64_t kPlainBytesMax = 600;

bool OneIn(int times, Random& random) { return random() % static_cast<uint64_t>(times) == 0; }
uint64_t AnyNumber(Random& random) { return random() >> random() % 64; }

std::string AnyText(Random& random) {
  static const char* const kTexts[] = {"", "a", "echo", "other.name", "\xc3\xa4\xe2\x82\xac", "not one"};
  if (OneIn(30, random)) return std::string("\xff\xfe");
  if (OneIn(30, random)) return std::string(random() % 700, 'x');
  return kTexts[random() % 6];
}

class RunCodec : public ::testing::Test {
 protected:
  RunCodec() {
#if GOOGLE_PROTOBUF_VERSION < 4022000
    google::protobuf::SetLogHandler(nullptr);  // it reports each text that is no UTF-8
#endif
    const auto body = [](jobs::JobContext&, values::Payload input) -> coro::Task<absl::StatusOr<values::Payload>> {
      co_return input;
    };
    for (const char* name : {"echo", "other.name"}) {
      EXPECT_TRUE(registry_.AddAsync(name, "for tests", values::Payload(), body).ok());
    }
    EXPECT_TRUE(directory_.ServeAll(registry_).ok());
  }
  void ExpectLikeProtobuf(std::string_view bytes) {
    // A copy of its own size, so that a sanitizer sees a step beyond its end.
    const std::unique_ptr<char[]> exact(new char[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), exact.get());
    const auto wanted = ReadByProtobuf(bytes);
    ASSERT_EQ(ReadByReader(reader_, std::string_view(exact.get(), bytes.size())), wanted) << Hex(bytes);
    ++(wanted.has_value() ? good_ : bad_);
    if (wanted.has_value()) {
      for (const RunItem& item : reader_.items()) ++(item.plain() ? plain_ : others_);
    }
  }
  static std::string Hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) text += fmt::format("{:02x} ", static_cast<unsigned char>(c));
    return text;
  }

  jobs::Registry registry_;
  dispatch::Directory directory_;
  RunRequestReader reader_{directory_, kPlainBytesMax};
  int good_ = 0, bad_ = 0, plain_ = 0, others_ = 0;
};

// --- What other writers might make ----------------------------------------------------------------------------------

void PutVarint(uint64_t value, Random& random, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  if (OneIn(300, random)) {  // longer than it needs be
    out += static_cast<char>(value | 0x80);
    value = 0;
  }
  out += static_cast<char>(value);
}

void PutBytes(std::string_view bytes, Random& random, std::string& out) {
  PutVarint(bytes.size(), random, out);
  out += bytes;
}

void PutUnknown(Random& random, std::string& out) {
  const uint64_t number = OneIn(40, random) ? 0 : 1 + random() % 3000;
  switch (random() % 5) {
    case 0:
      PutVarint(number << 3, random, out);
      return PutVarint(AnyNumber(random), random, out);
    case 1:
      PutVarint(number << 3 | 1, random, out);
      out += "12345678";
      return;
    case 2:
      PutVarint(number << 3 | 2, random, out);
      return PutBytes(AnyText(random), random, out);
    case 3:
      PutVarint(number << 3 | 3, random, out);
      if (OneIn(2, random)) PutUnknown(random, out);
      return PutVarint(number << 3 | 4, random, out);
    default:
      PutVarint(number << 3 | 5, random, out);
      out += "1234";
  }
}

// Fields in any order and number, for each of the type's and for others; submessages likewise.
std::string AnyBytesOf(const google::protobuf::Descriptor& type, int depth, Random& random) {
  std::string out;
  const size_t fields = random() % (depth > 6 ? 2 : 5);
  for (size_t i = 0; i < fields; ++i) {
    if (type.field_count() == 0 || OneIn(25, random)) {
      PutUnknown(random, out);
      continue;
    }
    // The first two of a message are those of plain calls, mostly.
    const FieldDescriptor& field = *type.field(static_cast<int>(
        random() % static_cast<uint64_t>(OneIn(2, random) ? type.field_count() : std::min(type.field_count(), 2))));
    const uint64_t number = static_cast<uint64_t>(field.number()) << 3;
    switch (field.type()) {
      case FieldDescriptor::TYPE_MESSAGE:
        PutVarint(number | 2, random, out);
        PutBytes(AnyBytesOf(*field.message_type(), depth + 1, random), random, out);
        break;
      case FieldDescriptor::TYPE_STRING:
      case FieldDescriptor::TYPE_BYTES:
        PutVarint(number | 2, random, out);
        PutBytes(AnyText(random), random, out);
        break;
      case FieldDescriptor::TYPE_DOUBLE:
        PutVarint(number | 1, random, out);
        out += "abcdefgh";
        break;
      default:
        if (field.is_repeated() && OneIn(2, random)) {
          std::string packed;
          for (size_t each = random() % 4; each > 0; --each) PutVarint(AnyNumber(random), random, packed);
          PutVarint(number | 2, random, out);
          PutBytes(packed, random, out);
        } else {
          PutVarint(number, random, out);
          PutVarint(AnyNumber(random), random, out);
        }
    }
  }
  return out;
}

void PutField(int number, std::string_view bytes, std::string& out) {
  out += static_cast<char>(number << 3 | 2);
  for (size_t length = bytes.size();; length >>= 7) {
    out += static_cast<char>(length >= 0x80 ? length | 0x80 : length);
    if (length < 0x80) break;
  }
  out += bytes;
}

// What most items look like, and near misses of it.
std::string NearlyPlainItem(Random& random) {
  std::string payload, call, spec, item;
  const auto in_any_order = [&random](std::string a, const std::string& b) {
    return OneIn(2, random) ? std::move(a) + b : b + a;
  };
  PutField(3, std::string(random() % (OneIn(10, random) ? 900 : 40), 'd'), payload);
  if (OneIn(10, random)) PutUnknown(random, payload);
  if (OneIn(20, random)) payload += payload;
  std::string function, input, tag;
  PutField(1, OneIn(8, random) ? AnyText(random) : "echo", function);
  if (OneIn(4, random)) payload.clear();
  if (!OneIn(5, random)) PutField(2, payload, input);
  call = in_any_order(std::move(function), input);
  if (OneIn(15, random)) call += call;
  PutField(1, call, spec);
  if (OneIn(15, random)) PutField(5, OneIn(2, random) ? "" : "\x0a\x01n", spec);
  if (OneIn(20, random)) spec += spec;
  tag += '\x08';
  PutVarint(AnyNumber(random), random, tag);
  PutField(2, spec, item);
  item = in_any_order(std::move(item), OneIn(5, random) ? "" : tag);
  if (OneIn(20, random)) item += item;
  if (OneIn(20, random)) PutUnknown(random, item);
  return item;
}

std::string NearlyPlainRequest(Random& random) {
  std::string request;
  for (size_t items = random() % 6; items > 0; --items) {
    PutField(2, NearlyPlainItem(random), request);
    if (OneIn(10, random)) PutField(3, std::string("\x05\x86\x01\x07", random() % 5), request);
    if (OneIn(10, random)) request += "\x18\x2a";
    if (OneIn(30, random)) PutUnknown(random, request);
    if (OneIn(30, random)) PutField(1, "\x20\x01", request);
  }
  return request;
}

std::string Mutated(std::string bytes, Random& random) {
  for (size_t times = 1 + random() % 3; times > 0 && !bytes.empty(); --times) {
    const size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] ^= static_cast<char>(1u << random() % 8);
        break;
      case 2:
        bytes.erase(at, 1 + random() % 3);
        break;
      default:
        bytes.insert(at, 1, static_cast<char>(random()));
    }
  }
  return bytes;
}

TEST_F(RunCodec, ReadsWhatProtobufReads) {
  Random random(44);
  for (int round = 0; round < 20'000; ++round) {
    SCOPED_TRACE(round);
    ASSERT_NO_FATAL_FAILURE(ExpectLikeProtobuf(AnyBytesOf(*pb::RunRequest::descriptor(), 0, random)));
    ASSERT_NO_FATAL_FAILURE(ExpectLikeProtobuf(NearlyPlainRequest(random)));
  }
  for (const int count : {good_, bad_, plain_, others_}) EXPECT_GT(count, 1000);
}

TEST_F(RunCodec, WhatIsCutOrBrokenFailsWhereProtobufFails) {
  Random random(45);
  for (int round = 0; round < 3'000; ++round) {
    SCOPED_TRACE(round);
    const std::string bytes = NearlyPlainRequest(random);
    for (size_t size = 0; size < std::min<size_t>(bytes.size(), 80); ++size) {
      ASSERT_NO_FATAL_FAILURE(ExpectLikeProtobuf(bytes.substr(0, size)));
    }
    for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(ExpectLikeProtobuf(Mutated(bytes, random)));
  }
  for (const int count : {good_, bad_, plain_, others_}) EXPECT_GT(count, 1000);
}

TEST_F(RunCodec, LengthsAndNumbersAreAsLongAsProtobufAllows) {
  for (size_t bytes = 1; bytes <= 11; ++bytes) {
    const std::string padding(bytes - 1, '\x80');
    for (const char last : {'\x00', '\x01', '\x02', '\x7f'}) {
      std::string item("\x08", 1);
      item += padding + last;
      std::string request;
      PutField(2, item, request);
      ExpectLikeProtobuf(request);  // a tag of so many bytes
      ExpectLikeProtobuf("\x12" + padding + last + std::string(static_cast<size_t>(last), ' '));  // a length
      ExpectLikeProtobuf("\x1a" + std::string(1, static_cast<char>(bytes)) + padding + last);
      ExpectLikeProtobuf("\x18" + padding + last);
    }
  }
}

TEST_F(RunCodec, NestingIsLimitedAsInTheWholeMessage) {
  for (int depth = 85; depth < 105; ++depth) {
    std::string value;
    for (int level = 0; level < depth; ++level) {  // lists of JSON values
      std::string list, wrapped;
      PutField(1, value, list);
      PutField(6, list, wrapped);
      value = std::move(wrapped);
      ++level;
    }
    std::string payload, call, spec, item, request;
    PutField(4, value, payload);
    PutField(2, payload, call);
    PutField(1, call, spec);
    PutField(2, spec, item);
    PutField(2, item, request);
    ExpectLikeProtobuf(request);
  }
  EXPECT_GT(good_, 0);
  EXPECT_GT(bad_, 0);
}

TEST_F(RunCodec, TheUsualShapeIsPlain) {
  pb::RunRequest request;
  for (uint64_t tag = 0; tag < 3; ++tag) {
    pb::RunRequest::Item& item = *request.add_items();
    item.set_tag(tag << 62 | tag);
    item.mutable_future()->mutable_call()->set_function(tag == 1 ? "other.name" : "echo");
    if (tag > 0) item.mutable_future()->mutable_call()->mutable_input()->set_data(std::string(tag * 300, 'x'));
  }
  request.add_cancel_tags(7);
  request.add_cancel_tags(700);
  const std::string bytes = request.SerializeAsString();
  ASSERT_TRUE(reader_.Read(bytes));
  ASSERT_EQ(reader_.items().size(), 3u);
  for (const RunItem& item : reader_.items()) EXPECT_TRUE(item.plain()) << item.tag;
  EXPECT_FALSE(reader_.items()[0].spec.has_data);
  EXPECT_EQ(reader_.items()[2].spec.data, std::string(600, 'x'));
  EXPECT_EQ(reader_.items()[2].tag, uint64_t{2} << 62 | 2);
  EXPECT_EQ(reader_.cancel_tags()[1], 700u);

  request.mutable_items(2)->mutable_future()->mutable_call()->mutable_input()->set_data(std::string(601, 'x'));
  const std::string large = request.SerializeAsString();
  ASSERT_TRUE(reader_.Read(large));
  EXPECT_FALSE(reader_.items()[2].plain()) << "what refuses it reads a message";

  reader_.set_plain_calls(false);
  ASSERT_TRUE(reader_.Read(bytes));
  for (const RunItem& item : reader_.items()) EXPECT_FALSE(item.plain());
}

// --- Plain calls ----------------------------------------------------------------------------------------------------

TEST_F(RunCodec, APlainCallIsWhatItsMessageWouldHaveMade) {
  const values::Limits limits;
  SubmitContext context(limits, directory_, Durability::kNone, values::Namespace{3, 7});
  context.attached = true;
  context.default_retention = values::kAttachedRetention;
  pb::FutureSpec spec;
  spec.mutable_call()->set_function("other.name");
  spec.mutable_call()->mutable_input()->set_data("d");
  const pb::FutureOptions defaults;
  const absl::StatusOr<Submission> wanted = ToSubmit(context, spec, &defaults, Path("future"));
  ASSERT_TRUE(wanted.ok());
  const core::Submit made = PlainCall(context, *directory_.Find("other.name"), values::Payload::Bytes("d"));
  EXPECT_EQ(made.ns, wanted->command.ns);
  EXPECT_EQ(made.ns_tag, wanted->command.ns_tag);
  EXPECT_EQ(made.options, nullptr);
  EXPECT_EQ(wanted->command.options, nullptr);
  EXPECT_EQ(made.spec_hash, wanted->command.spec_hash);
  EXPECT_EQ(made.retention, wanted->command.retention);
  EXPECT_EQ(made.attach, wanted->command.attach);
  EXPECT_EQ(made.drop_when_delivered, wanted->command.drop_when_delivered);
  const auto& job = std::get<values::JobSpec>(made.spec);
  const auto& wanted_job = std::get<values::JobSpec>(wanted->command.spec);
  EXPECT_EQ(job.function, wanted_job.function);
  EXPECT_EQ(job.kind, wanted_job.kind);
  EXPECT_EQ(job.input.encoding(), wanted_job.input.encoding());
  EXPECT_EQ(job.input.body(), wanted_job.input.body());
}

TEST_F(RunCodec, AnythingThatDefaultsSayMakesCallsLessThanPlain) {
  EXPECT_TRUE(AddNothing(pb::FutureOptions(), ""));
  EXPECT_TRUE(AddNothing(pb::FutureOptions(), "session"));
  const google::protobuf::Descriptor& type = *pb::FutureOptions::descriptor();
  for (int at = 0; at < type.field_count(); ++at) {
    pb::FutureOptions options;
    std::string bytes;
    Random random(1);
    do {  // some value of this one field
      bytes = AnyBytesOf(type, 0, random);
      options.ParseFromString(bytes);
      options.DiscardUnknownFields();
      std::vector<const FieldDescriptor*> set;
      options.GetReflection()->ListFields(options, &set);
      if (set.size() == 1 && set[0] == type.field(at)) break;
    } while (true);
    EXPECT_EQ(AddNothing(options, ""), type.field(at)->name() == "cancel_on_disconnect") << type.field(at)->name();
    EXPECT_FALSE(AddNothing(options, "session")) << type.field(at)->name();
  }
}

TEST_F(RunCodec, InASessionAPlainCallIsHashedAsItsMessageWouldBe) {
  const values::Limits limits;
  SubmitContext context(limits, directory_, Durability::kNone, values::Namespace{3, 7});
  context.attached = true;
  context.request_id = "session/17";
  const auto compare = [&](const std::string& function, const std::string* data) {
    pb::FutureSpec spec;
    spec.mutable_call()->set_function(function);
    if (data != nullptr) spec.mutable_call()->mutable_input()->set_data(*data);
    const pb::FutureOptions defaults;
    const absl::StatusOr<Submission> wanted = ToSubmit(context, spec, &defaults, Path("future"));
    ASSERT_TRUE(wanted.ok());
    PlainSpec plain;
    plain.has_data = data != nullptr;
    if (data != nullptr) plain.data = *data;
    const core::Submit made = PlainCall(context, *directory_.Find(function), InputOf(plain));
    EXPECT_NE(made.spec_hash, 0u);
    EXPECT_EQ(made.spec_hash, wanted->command.spec_hash) << function;
    EXPECT_EQ(made.options->request_id, wanted->command.options->request_id);
    EXPECT_EQ(made.retention, wanted->command.retention);
    EXPECT_FALSE(made.drop_when_delivered);
    EXPECT_EQ(made.drop_when_delivered, wanted->command.drop_when_delivered);
  };
  for (const char* function : {"echo", "other.name"}) {
    compare(function, nullptr);
    for (const size_t size : {0, 1, 100, 127, 128, 300, 20'000}) {
      const std::string data(size, 'd');
      compare(function, &data);
    }
  }
}

// --- Writing --------------------------------------------------------------------------------------------------------

values::FutureId AnyId(Random& random) {
  values::FutureId id;
  id.sequence = 1 + random() % 0xffff'ffff'fffe;
  id.slot = static_cast<uint32_t>(random());
  id.shard = static_cast<values::ShardIndex>(random() % 64);
  return id;
}

values::Payload AnyPayload(Random& random) {
  values::Payload::Content content;
  content.encoding = static_cast<values::Encoding>(random() % 4);
  if (content.encoding == values::Encoding::kNone && OneIn(2, random)) return values::Payload();
  if (content.encoding == values::Encoding::kJson) {
    google::protobuf::Value value;
    value.set_number_value(3);
    content.body = value.SerializeAsString();
  } else if (content.encoding != values::Encoding::kNone) {
    content.body = std::string(random() % (OneIn(5, random) ? 20'000 : 200), 'b');
  }
  if (OneIn(4, random)) content.content_type = "image/png";
  if (OneIn(8, random)) content.metadata["key"] = "value";
  return values::Payload(std::move(content));
}

values::OutcomeRef AnyOutcome(Random& random) {
  switch (random() % 7) {
    case 0: {
      values::Error error;
      error.message = "it failed";
      error.details = AnyPayload(random);
      return values::Outcome::Failed(std::move(error));
    }
    case 1:
      return values::Outcome::Cancelled("enough", AnyId(random));
    case 2: {
      std::vector<values::OutcomeRef> parts;
      for (size_t count = random() % 3; count > 0; --count) parts.push_back(AnyOutcome(random));
      return values::Outcome::Gathered(std::move(parts));
    }
    default:
      return values::Outcome::Value(AnyPayload(random));
  }
}

core::Completion AnyCompletion(Random& random) {
  core::Completion completion;
  completion.id = AnyId(random);
  completion.state = static_cast<values::State>(random() % 8);
  completion.attempt = OneIn(3, random) ? 0 : static_cast<uint32_t>(AnyNumber(random));
  if (!OneIn(8, random)) completion.outcome = AnyOutcome(random);
  return completion;
}

// The same by messages alone.
bool CompletedByProtobuf(uint64_t tag, const core::Completion& completion, Room& room, OnOverflow on_overflow,
                         pb::RunResponse& message) {
  pb::RunResponse::Done& out = *message.add_done();
  out.set_tag(tag);
  FromCompletionWithOutcome(completion, room, *out.mutable_completion());
  if (!out.completion().outcome_omitted() || on_overflow == OnOverflow::kOmitOutcome) return true;
  message.mutable_done()->RemoveLast();
  return false;
}

TEST_F(RunCodec, WritesWhatProtobufWrites) {
  Random random(46);
  RunResponseWriter writer;
  int written = 0, omitted = 0, not_written = 0;
  for (int round = 0; round < 5'000; ++round) {
    SCOPED_TRACE(round);
    writer.Clear();
    pb::RunResponse wanted;
    const auto credits = OneIn(2, random) ? 0 : static_cast<uint32_t>(AnyNumber(random));
    writer.Credits(credits);
    wanted.set_credits(credits);
    for (size_t count = random() % 4; count > 0; --count) {
      const uint64_t tag = AnyNumber(random);
      const values::FutureId id = AnyId(random);
      writer.Accepted(tag, id);
      pb::RunResponse::Accepted& accepted = *wanted.add_accepted();
      accepted.set_tag(tag);
      accepted.set_id(id.ToText());
    }
    const uint64_t bytes = OneIn(2, random) ? 1 << 20 : random() % 600;
    Room room(bytes, 3), wanted_room(bytes, 3);
    for (size_t count = random() % 6; count > 0; --count) {
      const uint64_t tag = AnyNumber(random);
      if (OneIn(5, random)) {
        const absl::Status refusal = base::Refuse(base::Reason::kInvalidField, std::string(random() % 300, 'r'));
        writer.Rejected(tag, refusal, room);
        pb::RunResponse::Done& done = *wanted.add_done();
        done.set_tag(tag);
        ToItemStatus(refusal, *done.mutable_rejected());
        wanted_room.bytes -= std::min<uint64_t>(wanted_room.bytes, done.ByteSizeLong());
      } else {
        const core::Completion completion = AnyCompletion(random);
        const OnOverflow on_overflow = OneIn(2, random) ? OnOverflow::kOmitOutcome : OnOverflow::kWriteNothing;
        const bool fits = CompletedByProtobuf(tag, completion, wanted_room, on_overflow, wanted);
        ASSERT_EQ(writer.Completed(tag, completion, room, on_overflow), fits);
        ++(!fits ? not_written : wanted.done().rbegin()->completion().outcome_omitted() ? omitted : written);
      }
      ASSERT_EQ(room.bytes, wanted_room.bytes);
    }
    ASSERT_EQ(writer.bytes().size(), wanted.ByteSizeLong());
    pb::RunResponse made;
    ASSERT_TRUE(made.ParseFromArray(writer.bytes().data(), static_cast<int>(writer.bytes().size())));
    ASSERT_EQ(Canonical(made), Canonical(wanted));
  }
  for (const int count : {written, omitted, not_written}) EXPECT_GT(count, 500);
}

// To the byte: what just fits, and what is one too long.
TEST_F(RunCodec, AnOutcomeFitsExactlyWhenItsMessageWould) {
  RunResponseWriter writer;
  for (const size_t size : {0, 1, 100, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 16'370, 16'384}) {
    core::Completion completion;
    completion.id.sequence = 1;
    completion.state = values::State::kSucceeded;
    completion.outcome = values::Outcome::Value(values::Payload::Bytes(std::string(size, 'x')));
    for (uint64_t bytes = size; bytes < size + 80; ++bytes) {
      Room room(bytes, 3), wanted_room(bytes, 3);
      pb::RunResponse wanted;
      writer.Clear();
      CompletedByProtobuf(1, completion, wanted_room, OnOverflow::kOmitOutcome, wanted);
      writer.Completed(1, completion, room, OnOverflow::kOmitOutcome);
      EXPECT_EQ(writer.bytes(), wanted.SerializeAsString()) << size << " in " << bytes;
      EXPECT_EQ(room.bytes, wanted_room.bytes);
    }
  }
}

}  // namespace
}  // namespace muster::wire
