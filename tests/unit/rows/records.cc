#include "tests/unit/rows/records.h"

#include <memory>
#include <utility>
#include <vector>

#include "service/rows/detail/form.h"

namespace muster::rows {
namespace {

bool SameOptions(const values::Options* a, const values::Options* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return *a == *b;
}

bool SameRequests(const std::vector<core::RequestRecord>& a, const std::vector<core::RequestRecord>& b) {
  if (a.size() != b.size()) return false;
  for (size_t at = 0; at < a.size(); ++at) {
    if (!Same(a[at], b[at])) return false;
  }
  return true;
}

}  // namespace

bool Same(const values::Payload& a, const values::Payload& b) {
  if (a.content == nullptr || b.content == nullptr) return a.content == b.content;
  return a.content->encoding == b.content->encoding && a.content->body == b.content->body &&
         a.content->content_type == b.content->content_type && a.content->metadata == b.content->metadata;
}

bool Same(const values::Error* a, const values::Error* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->kind == b->kind && a->type == b->type && a->message == b->message && Same(a->details, b->details) &&
         a->origin == b->origin && Same(a->cause.get(), b->cause.get());
}

bool Same(const values::Outcome* a, const values::Outcome* b) {
  if (a == nullptr || b == nullptr) return a == b;
  if (a->kind != b->kind || !Same(a->value, b->value) || !Same(a->error.get(), b->error.get()) ||
      a->gathered.size() != b->gathered.size() || a->gathered_bytes != b->gathered_bytes) {
    return false;
  }
  for (size_t at = 0; at < a->gathered.size(); ++at) {
    if (!Same(a->gathered[at].get(), b->gathered[at].get())) return false;
  }
  return true;
}

bool Same(const core::RequestRecord& a, const core::RequestRecord& b) {
  return a.ns == b.ns && a.request_id == b.request_id && a.id == b.id && a.spec_hash == b.spec_hash &&
         a.window == b.window && a.expire_time == b.expire_time && a.elsewhere_state == b.elsewhere_state &&
         Same(a.elsewhere_outcome.get(), b.elsewhere_outcome.get());
}

std::string Difference(const core::FutureRecord& a, const core::FutureRecord& b) {
#define MUSTER_COMPARE(field) \
  if (!(a.field == b.field)) return #field
  MUSTER_COMPARE(id);
  MUSTER_COMPARE(ns);
  MUSTER_COMPARE(kind);
  MUSTER_COMPARE(state);
  MUSTER_COMPARE(function);
  MUSTER_COMPARE(function_kind);
  MUSTER_COMPARE(attempt);
  MUSTER_COMPARE(cancelling);
  MUSTER_COMPARE(create_time);
  MUSTER_COMPARE(start_time);
  MUSTER_COMPARE(end_time);
  MUSTER_COMPARE(cancel_time);
  MUSTER_COMPARE(due);
  MUSTER_COMPARE(retention);
  MUSTER_COMPARE(completion_sequence);
  MUSTER_COMPARE(hidden);
  MUSTER_COMPARE(expired);
  MUSTER_COMPARE(drop_when_delivered);
  MUSTER_COMPARE(retrieved);
  MUSTER_COMPARE(run_timed_out);
  MUSTER_COMPARE(cancel_missed);
  MUSTER_COMPARE(cancel_message);
  MUSTER_COMPARE(settle_request_id);
  MUSTER_COMPARE(remote_cancels);
  MUSTER_COMPARE(combinator);
#undef MUSTER_COMPARE
  if (!SameOptions(a.options.get(), b.options.get())) return "options";
  if (!SameRequests(a.requests, b.requests)) return "requests";
  if (!Same(a.outcome.get(), b.outcome.get())) return "outcome";
  return "";
}

std::string ToHex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    text.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return text;
}

std::string FromHex(std::string_view text) {
  std::string bytes;
  for (size_t at = 0; at + 1 < text.size(); at += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(text.substr(at, 2)), nullptr, 16)));
  }
  return bytes;
}

uint64_t RandomRecords::Number(int bits) {
  const uint64_t largest = bits == 64 ? UINT64_MAX : (uint64_t{1} << bits) - 1;
  switch (Below(6)) {
    case 0:
      return 0;
    case 1:
      return largest;
    case 2:
      return Below(300) & largest;
    default:
      return random_() >> (64 - bits) >> Below(static_cast<uint64_t>(bits));
  }
}

base::Duration RandomRecords::Span() {
  const auto magnitude = static_cast<int64_t>(Number());
  return base::Duration(Chance(2) ? magnitude : -(magnitude >> 1));
}

base::Instant RandomRecords::Time() {
  if (Chance(3)) return base::kNever;
  if (Chance(2)) return base::Instant(Span());
  return base::Instant(base::Duration(1'700'000'000'000'000 + static_cast<int64_t>(Number(40))));
}

std::string RandomRecords::Text() {
  const uint64_t size = Chance(3) ? 0 : (Chance(20) ? Below(2000) : Below(30));
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>(random_());
  return text;
}

values::Words RandomRecords::Words() {
  const auto texts = Texts();
  return {texts.begin(), texts.end()};
}

std::map<std::string, std::string> RandomRecords::Texts() {
  std::map<std::string, std::string> texts;
  for (uint64_t count = Chance(2) ? 0 : Below(5); count > 0; --count) texts[Text()] = Text();
  return texts;
}

values::FutureId RandomRecords::Id() {
  values::FutureId id;
  if (Chance(8)) return id;
  id.sequence = Number(detail::kSequenceBits);
  id.incarnation = static_cast<uint32_t>(Number(detail::kIncarnationBits));
  id.slot = Number32();
  id.shard = static_cast<values::ShardIndex>(Number(detail::kShardBits));
  id.ns_tag = static_cast<uint16_t>(Number(16));
  return id;
}

values::Payload RandomRecords::Payload() {
  if (Chance(4)) return {};
  values::Payload::Content content;
  content.encoding = static_cast<values::Encoding>(Below(4));
  content.body = Text();
  content.content_type = Text();
  content.metadata = Words();
  return values::Payload(std::move(content));
}

values::Error RandomRecords::Error(int causes_max) {
  values::Error error;
  error.kind = static_cast<values::ErrorKind>(Below(6));
  error.type = Text();
  error.message = Text();
  if (Chance(3)) error.details = Payload();
  if (Chance(3)) error.origin = Id();
  if (causes_max > 0 && !Chance(3)) error.cause = std::make_shared<const values::Error>(Error(causes_max - 1));
  return error;
}

values::OutcomeRef RandomRecords::Outcome(int gathers) {
  switch (Below(gathers > 0 ? 4 : 3)) {
    case 0:
      return values::Outcome::Value(Payload());
    case 1:
      return values::Outcome::Failed(Error(detail::kCausesMax));
    case 2: {
      auto outcome = std::make_shared<values::Outcome>();
      outcome->kind = values::Outcome::Kind::kCancelled;
      outcome->error = std::make_shared<const values::Error>(Error(2));
      return outcome;
    }
  }
  std::vector<values::OutcomeRef> parts;
  for (uint64_t count = Below(6); count > 0; --count) {
    if (!parts.empty() && Chance(3)) {
      parts.push_back(parts[Below(parts.size())]);
    } else {
      parts.push_back(Outcome(gathers - 1));
    }
  }
  return values::Outcome::Gathered(std::move(parts));
}

values::Options RandomRecords::Options() {
  values::Options options;
  options.name = Text();
  options.labels = Words();
  options.group = Text();
  options.request_id = Text();
  if (Chance(2)) options.request_id_ttl = Span();
  if (Chance(2)) options.delay = Span();
  if (Chance(2)) options.queue_timeout = Span();
  if (Chance(2)) options.run_timeout = Span();
  options.metadata = Words();
  if (Chance(2)) options.execution = values::Execution::kAtMostOnce;
  return options;
}

core::RequestRecord RandomRecords::Request() {
  core::RequestRecord request;
  request.ns = Number32();
  request.request_id = Text();
  request.id = Id();
  request.spec_hash = Number();
  request.window = Span();
  request.expire_time = Time();
  request.elsewhere_state = static_cast<values::State>(Below(7));
  if (Chance(2)) request.elsewhere_outcome = Outcome();
  return request;
}

core::MembersRecord RandomRecords::Members() {
  core::MembersRecord record;
  for (uint64_t count = Below(20); count > 0; --count) record.members.push_back({Id(), Number32()});
  if (!record.members.empty() && Chance(2)) {
    for (uint64_t count = Below(200); count > 0; --count) {
      record.positions.push_back(static_cast<uint32_t>(Below(record.members.size())));
    }
  }
  return record;
}

core::MarksRecord RandomRecords::Marks() { return {Number(), Number()}; }

core::CombinatorRecord RandomRecords::Combinator() {
  core::CombinatorRecord combinator;
  combinator.return_exceptions = Chance(2);
  combinator.cancel_requested = Chance(2);
  combinator.cancel_in_doubt = Chance(2);
  combinator.polling = Chance(2);
  combinator.expiring = Chance(2);
  combinator.must_cancel = Chance(2);
  combinator.depth = Chance(2) ? 1 : Number32();
  combinator.cancels_passed = Number32();
  if (Chance(2)) combinator.timeout = Span();
  combinator.grace = Span();
  combinator.cancel_message = Text();
  for (uint64_t count = Below(4); count > 0; --count) combinator.cancels_sent.push_back({Number32(), Number32()});
  return combinator;
}

core::FutureRecord RandomRecords::Future() {
  core::FutureRecord record;
  record.id = Id();
  record.ns = Number32();
  record.kind = static_cast<values::FutureKind>(Below(5));
  record.state = static_cast<values::State>(Below(7));
  record.function = Number32();
  record.function_kind = static_cast<values::FunctionKind>(Below(4));
  record.attempt = Number32();
  record.cancelling = Number32();
  record.create_time = Time();
  record.start_time = Time();
  record.end_time = Time();
  record.cancel_time = Time();
  record.due = Time();
  record.retention = Span();
  record.completion_sequence = Number();
  record.hidden = Chance(2);
  record.expired = Chance(2);
  record.drop_when_delivered = Chance(2);
  record.retrieved = Chance(2);
  record.run_timed_out = Chance(2);
  record.cancel_missed = Chance(2);
  record.cancel_message = Text();
  record.settle_request_id = Text();
  for (uint64_t count = Chance(2) ? 0 : Below(4); count > 0; --count) {
    core::RequestRecord& request = record.requests.emplace_back(Request());
    if (Chance(2)) request.ns = record.ns;
    if (Chance(2)) request.id = record.id;
  }
  if (Chance(2)) {
    values::Options options = Options();
    if (!record.requests.empty() && Chance(2)) options.request_id = record.requests.front().request_id;
    record.options = std::make_shared<const values::Options>(std::move(options));
  }
  for (uint64_t count = Chance(2) ? 0 : Below(4); count > 0; --count) {
    record.remote_cancels.push_back({Id(), Number32(), Number32(), Number32()});
  }
  if (Chance(2)) record.combinator = Combinator();
  if (Chance(2)) record.outcome = Outcome();
  return record;
}

}  // namespace muster::rows
