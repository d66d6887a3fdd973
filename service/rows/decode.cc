#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/base/status.h"
#include "service/rows/detail/form.h"
#include "service/rows/detail/outcome_form.h"
#include "service/rows/detail/reader.h"
#include "service/rows/rows.h"

namespace muster::rows {
namespace {

using namespace detail;  // NOLINT(google-build-using-namespace): the other half of this file

// Elements that are much larger in memory than in their row get room as they are read, not as their count demands.
constexpr size_t kReservedMax = 64;

// An option of each kind, as `Put` has written it.
void Take(Reader& reader, const char* field, values::Text& option) { option = reader.Text(field); }
void Take(Reader& reader, const char* field, values::Words& option) { option = ReadWords(reader, field); }
void Take(Reader& reader, const char* field, base::Duration& option) { option = reader.Span(field); }
void Take(Reader& reader, const char* field, values::MaybeDuration& option) { option = reader.Span(field); }
void Take(Reader&, const char*, values::Execution& option) { option = values::Execution::kAtMostOnce; }

std::shared_ptr<const values::Options> ReadOptions(Reader& reader, const std::vector<core::RequestRecord>& requests) {
  auto options = std::make_shared<values::Options>();
  const uint64_t mask = reader.Mask(kOptionsBits, "options");
  for (uint64_t rest = mask; rest != 0; rest &= rest - 1) {
    switch (rest & -rest) {
#define MUSTER_TAKE_OPTION(name, ...)              \
  case kOptionBit.name:                            \
    Take(reader, "options." #name, options->name); \
    break;
      MUSTER_JOB_OPTIONS(MUSTER_TAKE_OPTION, MUSTER_NO_OPTION)
#undef MUSTER_TAKE_OPTION
    }
  }
  if (mask & kFirstRequestId) {
    if (requests.empty() || (mask & kOptionBit.request_id)) {
      reader.Refuse("options.request_id", "is said to be that of the first request, which there is not");
    } else {
      options->request_id = requests.front().request_id;
    }
  }
  return options;
}

// `record` comes with the namespace and the future's id that the row leaves out.
void ReadRequest(Reader& reader, base::Instant origin, core::RequestRecord& record) {
  const uint64_t mask = reader.Mask(kRequestBits, "request");
  if (mask & kRequestNs) record.ns = reader.Varint32("request.ns");
  if (mask & kRequestFuture) record.id = reader.Id("request.id");
  if (mask & kSpecHash) record.spec_hash = reader.Fixed64("request.spec_hash");
  if (mask & kWindow) record.window = reader.Span("request.window");
  if (mask & kExpireTime) record.expire_time = reader.TimeSince(origin, "request.expire_time");
  if (mask & kElsewhereState) {
    record.elsewhere_state =
        reader.OneOf(reader.Byte("request.elsewhere_state"), values::State::kCancelled, "request.elsewhere_state");
  }
  if (mask & kElsewhereOutcome) record.elsewhere_outcome = ReadOutcome(reader, "request.elsewhere_outcome");
}

void ReadRequests(Reader& reader, core::FutureRecord& record) {
  const size_t count = reader.Count(kTextBytesMin + 1, "requests");
  record.requests.reserve(std::min(count, kReservedMax));
  for (size_t at = 0; at < count && reader.ok(); ++at) {
    core::RequestRecord& request = record.requests.emplace_back();
    request.ns = record.ns;
    request.id = record.id;
    request.request_id = reader.Text("request.request_id");
    ReadRequest(reader, record.create_time, request);
  }
}

void ReadRemoteCancels(Reader& reader, std::vector<core::RemoteCancelRecord>& cancels) {
  const size_t count = reader.Count(kIdBytesMin + 3, "remote_cancels");
  cancels.reserve(std::min(count, kReservedMax));
  for (size_t at = 0; at < count && reader.ok(); ++at) {
    core::RemoteCancelRecord& cancel = cancels.emplace_back();
    cancel.subscriber = reader.Id("remote_cancel.subscriber");
    cancel.index = reader.Varint32("remote_cancel.index");
    cancel.seen = reader.Varint32("remote_cancel.seen");
    cancel.taken = reader.Varint32("remote_cancel.taken");
  }
}

core::CombinatorRecord ReadCombinator(Reader& reader) {
  core::CombinatorRecord combinator;
  const uint64_t mask = reader.Mask(kCombinatorBits, "combinator");
  combinator.return_exceptions = (mask & kReturnExceptions) != 0;
  combinator.cancel_requested = (mask & kCancelRequested) != 0;
  combinator.cancel_in_doubt = (mask & kCancelInDoubt) != 0;
  combinator.polling = (mask & kPolling) != 0;
  combinator.expiring = (mask & kExpiring) != 0;
  combinator.must_cancel = (mask & kMustCancel) != 0;
  if (mask & kDepth) combinator.depth = reader.Varint32("combinator.depth");
  if (mask & kTimeout) combinator.timeout = reader.Span("combinator.timeout");
  if (mask & kGrace) combinator.grace = reader.Span("combinator.grace");
  if (mask & kCancelsPassed) combinator.cancels_passed = reader.Varint32("combinator.cancels_passed");
  if (mask & kCombinatorMessage) combinator.cancel_message = reader.Text("combinator.cancel_message");
  if (mask & kCancelsSent) {
    const size_t count = reader.Count(2, "combinator.cancels_sent");
    combinator.cancels_sent.reserve(std::min(count, kReservedMax));
    for (size_t at = 0; at < count && reader.ok(); ++at) {
      core::CombinatorRecord::Sent& sent = combinator.cancels_sent.emplace_back();
      sent.member = reader.Varint32("combinator.cancels_sent.member");
      sent.times = reader.Varint32("combinator.cancels_sent.times");
    }
  }
  return combinator;
}

// The optional fields, in the order of the bits.
void ReadFutureFields(Reader& reader, uint64_t mask, core::FutureRecord& record) {
  const base::Instant created = record.create_time;
  if (mask & kStartTime) record.start_time = reader.TimeSince(created, "start_time");
  if (mask & kEndTime) record.end_time = reader.TimeSince(created, "end_time");
  if (mask & kDue) record.due = reader.TimeSince(created, "due");
  if (mask & kCompletion) record.completion_sequence = reader.Varint("completion_sequence");
  if (mask & kOutcome) record.outcome = ReadOutcome(reader, "outcome");
  if (mask & kAttempt) record.attempt = reader.Varint32("attempt");
  if (mask & kRetention) record.retention = reader.Span("retention");
  if (mask & kFunctionId) record.function = reader.Varint32("function");
  if (mask & kRequests) ReadRequests(reader, record);
  if (mask & kOptions) record.options = ReadOptions(reader, record.requests);
  if (mask & kFunctionKind) {
    record.function_kind = reader.OneOf(reader.Byte("function_kind"), values::FunctionKind::kRemote, "function_kind");
  }
  if (mask & kCancelling) record.cancelling = reader.Varint32("cancelling");
  if (mask & kCancelTime) record.cancel_time = reader.TimeSince(created, "cancel_time");
  if (mask & kCancelMessage) record.cancel_message = reader.Text("cancel_message");
  if (mask & kSettleRequestId) record.settle_request_id = reader.Text("settle_request_id");
  if (mask & kRemoteCancels) ReadRemoteCancels(reader, record.remote_cancels);
  if (mask & kCombinator) record.combinator = ReadCombinator(reader);
  record.retrieved = (mask & kRetrieved) != 0;
  record.drop_when_delivered = (mask & kDropWhenDelivered) != 0;
  record.hidden = (mask & kHidden) != 0;
  record.expired = (mask & kExpired) != 0;
  record.run_timed_out = (mask & kRunTimedOut) != 0;
  record.cancel_missed = (mask & kCancelMissed) != 0;
}

}  // namespace

absl::StatusOr<core::FutureRecord> DecodeFuture(values::ShardIndex shard, uint64_t sequence, std::string_view value) {
  Reader reader("a future", value);
  if (!reader.Version()) return reader.Finish();
  core::FutureRecord record;
  const uint8_t what = reader.Byte("kind");
  record.kind = reader.OneOf(what & kKindMask, values::FutureKind::kWaitFor, "kind");
  // kExpired is never held.
  record.state = reader.OneOf(what >> kStateShift, values::State::kCancelled, "state");
  const uint64_t mask = reader.Mask(kFutureBits, "fields");
  record.ns = reader.Varint32("ns");
  record.id.shard = shard;
  record.id.sequence = sequence;
  record.id.incarnation = static_cast<uint32_t>(reader.Below(kIncarnationBits, "id.incarnation"));
  record.id.slot = reader.Varint32("id.slot");
  record.id.ns_tag = reader.Fixed16("id.ns_tag");
  record.create_time = reader.Time("create_time");
  ReadFutureFields(reader, mask, record);
  MUSTER_RETURN_IF_ERROR(reader.Finish());
  return record;
}

absl::StatusOr<values::Payload> DecodePayload(std::string_view value) {
  Reader reader("an input", value);
  if (!reader.Version()) return reader.Finish();
  values::Payload payload = ReadPayload(reader, "payload");
  MUSTER_RETURN_IF_ERROR(reader.Finish());
  return payload;
}

absl::StatusOr<core::MembersRecord> DecodeMembers(std::string_view value) {
  Reader reader("members", value);
  if (!reader.Version()) return reader.Finish();
  core::MembersRecord record;
  const size_t count = reader.Count(kIdBytesMin + 1, "members");
  record.members.reserve(count);
  for (size_t at = 0; at < count && reader.ok(); ++at) {
    core::MemberRecord& member = record.members.emplace_back();
    member.id = reader.Id("member.id");
    member.times = reader.Varint32("member.times");
  }
  const size_t positions = reader.Count(1, "positions");
  record.positions.reserve(positions);
  for (size_t at = 0; at < positions && reader.ok(); ++at) {
    const uint32_t position = reader.Varint32("position");
    if (position >= count) reader.Refuse("position", fmt::format("{} of {} members", position, count));
    record.positions.push_back(position);
  }
  MUSTER_RETURN_IF_ERROR(reader.Finish());
  return record;
}

absl::StatusOr<core::RequestRecord> DecodeRequest(values::NamespaceId ns, std::string_view request_id,
                                                  std::string_view value) {
  Reader reader("a request id", value);
  if (!reader.Version()) return reader.Finish();
  core::RequestRecord record;
  record.ns = ns;
  record.request_id = request_id;
  ReadRequest(reader, {}, record);
  MUSTER_RETURN_IF_ERROR(reader.Finish());
  return record;
}

absl::StatusOr<core::MarksRecord> DecodeMarks(std::string_view value) {
  Reader reader("marks", value);
  if (!reader.Version()) return reader.Finish();
  core::MarksRecord marks;
  marks.last_sequence = reader.Varint("last_sequence");
  marks.last_completion = reader.Varint("last_completion");
  MUSTER_RETURN_IF_ERROR(reader.Finish());
  return marks;
}

absl::StatusOr<FunctionRow> DecodeFunction(std::string_view value) {
  Reader reader("a function", value);
  if (!reader.Version()) return reader.Finish();
  FunctionRow function;
  function.kind = reader.OneOf(reader.Byte("kind"), values::FunctionKind::kRemote, "kind");
  function.name = reader.Text("name");
  MUSTER_RETURN_IF_ERROR(reader.Finish());
  return function;
}

absl::StatusOr<HeaderRow> DecodeHeader(std::string_view value) {
  Reader reader("the header", value);
  if (!reader.Version()) return reader.Finish();
  HeaderRow header;
  header.schema = reader.Varint32("schema");
  header.shards = reader.Varint32("shards");
  header.written_by = reader.Text("written_by");
  MUSTER_RETURN_IF_ERROR(reader.Finish());
  return header;
}

absl::StatusOr<std::string> DecodeName(std::string_view value) {
  Reader reader("a namespace", value);
  if (!reader.Version()) return reader.Finish();
  std::string name(reader.Text("name"));
  MUSTER_RETURN_IF_ERROR(reader.Finish());
  return name;
}

}  // namespace muster::rows
