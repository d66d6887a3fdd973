#include "service/base/check.h"
#include "service/rows/detail/form.h"
#include "service/rows/detail/outcome_form.h"
#include "service/rows/detail/writer.h"
#include "service/rows/rows.h"

namespace muster::rows {
namespace {

using namespace detail;  // NOLINT(google-build-using-namespace): the other half of this file

uint64_t If(bool condition, uint64_t bit) { return condition ? bit : 0; }

// An option of each kind: whether it is left out, and how it is written. Those of which the bit says all are no more
// than their bit.
bool Absent(const values::Text& option) { return option.empty(); }
bool Absent(const values::Words& option) { return option.empty(); }
bool Absent(base::Duration option) { return option == base::Duration(0); }
bool Absent(values::MaybeDuration option) { return !option.has_value(); }
bool Absent(values::Execution option) { return option == values::Execution::kAtLeastOnce; }

void Put(const values::Text& option, Writer& writer) { writer.Text(option); }
void Put(const values::Words& option, Writer& writer) { detail::Write(option, writer); }
void Put(base::Duration option, Writer& writer) { writer.Span(option); }
void Put(values::MaybeDuration option, Writer& writer) { writer.Span(*option); }
void Put(values::Execution, Writer&) {}

void Write(const values::Options& options, const std::vector<core::RequestRecord>& requests, Writer& writer) {
  uint64_t mask = 0;
#define MUSTER_OPTION_BIT(name, ...) mask |= If(!Absent(options.name), kOptionBit.name);
  MUSTER_JOB_OPTIONS(MUSTER_OPTION_BIT, MUSTER_NO_OPTION)
#undef MUSTER_OPTION_BIT
  if ((mask & kOptionBit.request_id) && !requests.empty() && options.request_id == requests.front().request_id) {
    mask ^= kOptionBit.request_id | kFirstRequestId;
  }
  writer.Varint(mask);
  // In the order of the bits, which is not quite the table's.
  for (uint64_t rest = mask; rest != 0; rest &= rest - 1) {
    switch (rest & -rest) {
#define MUSTER_PUT_OPTION(name, ...) \
  case kOptionBit.name:              \
    Put(options.name, writer);       \
    break;
      MUSTER_JOB_OPTIONS(MUSTER_PUT_OPTION, MUSTER_NO_OPTION)
#undef MUSTER_PUT_OPTION
    }
  }
}

// What a request id's record has in common with the future that it is a part of is not repeated.
void Write(const core::RequestRecord& record, values::NamespaceId ns, const values::FutureId& id, base::Instant origin,
           Writer& writer) {
  const uint64_t mask = If(record.ns != ns, kRequestNs) | If(record.id != id, kRequestFuture) |
                        If(record.spec_hash != 0, kSpecHash) | If(record.window != base::Duration(0), kWindow) |
                        If(record.expire_time != base::kNever, kExpireTime) |
                        If(record.elsewhere_state != values::State::kPending, kElsewhereState) |
                        If(record.elsewhere_outcome != nullptr, kElsewhereOutcome);
  writer.Varint(mask);
  if (mask & kRequestNs) writer.Varint(record.ns);
  if (mask & kRequestFuture) writer.Id(record.id);
  if (mask & kSpecHash) writer.Fixed64(record.spec_hash);
  if (mask & kWindow) writer.Span(record.window);
  if (mask & kExpireTime) writer.TimeSince(origin, record.expire_time);
  if (mask & kElsewhereState) writer.Byte(static_cast<uint8_t>(record.elsewhere_state));
  if (mask & kElsewhereOutcome) detail::Write(*record.elsewhere_outcome, writer);
}

void Write(const core::CombinatorRecord& combinator, Writer& writer) {
  const uint64_t mask =
      If(combinator.return_exceptions, kReturnExceptions) | If(combinator.depth != 1, kDepth) |
      If(combinator.timeout.has_value(), kTimeout) | If(combinator.grace != base::Duration(0), kGrace) |
      If(combinator.cancel_requested, kCancelRequested) | If(combinator.cancel_in_doubt, kCancelInDoubt) |
      If(combinator.polling, kPolling) | If(combinator.expiring, kExpiring) | If(combinator.must_cancel, kMustCancel) |
      If(combinator.cancels_passed != 0, kCancelsPassed) | If(!combinator.cancel_message.empty(), kCombinatorMessage) |
      If(!combinator.cancels_sent.empty(), kCancelsSent);
  writer.Varint(mask);
  if (mask & kDepth) writer.Varint(combinator.depth);
  if (mask & kTimeout) writer.Span(*combinator.timeout);
  if (mask & kGrace) writer.Span(combinator.grace);
  if (mask & kCancelsPassed) writer.Varint(combinator.cancels_passed);
  if (mask & kCombinatorMessage) writer.Text(combinator.cancel_message);
  if (mask & kCancelsSent) {
    writer.Varint(combinator.cancels_sent.size());
    for (const core::CombinatorRecord::Sent& sent : combinator.cancels_sent) {
      writer.Varint(sent.member);
      writer.Varint(sent.times);
    }
  }
}

void Write(const std::vector<core::RemoteCancelRecord>& cancels, Writer& writer) {
  writer.Varint(cancels.size());
  for (const core::RemoteCancelRecord& cancel : cancels) {
    writer.Id(cancel.subscriber);
    writer.Varint(cancel.index);
    writer.Varint(cancel.seen);
    writer.Varint(cancel.taken);
  }
}

uint64_t MaskOf(const core::FutureRecord& record) {
  return If(record.start_time != base::kNever, kStartTime) | If(record.end_time != base::kNever, kEndTime) |
         If(record.due != base::kNever, kDue) | If(record.completion_sequence != 0, kCompletion) |
         If(record.outcome != nullptr, kOutcome) | If(record.attempt != 0, kAttempt) |
         If(record.retention != base::Duration(0), kRetention) | If(record.retrieved, kRetrieved) |
         If(record.function != 0, kFunctionId) | If(!record.requests.empty(), kRequests) |
         If(record.options != nullptr, kOptions) |
         If(record.function_kind != values::FunctionKind::kAsync, kFunctionKind) |
         If(record.drop_when_delivered, kDropWhenDelivered) | If(record.cancelling != 0, kCancelling) |
         If(record.cancel_time != base::kNever, kCancelTime) | If(!record.cancel_message.empty(), kCancelMessage) |
         If(record.hidden, kHidden) | If(record.expired, kExpired) | If(record.run_timed_out, kRunTimedOut) |
         If(record.cancel_missed, kCancelMissed) | If(!record.settle_request_id.empty(), kSettleRequestId) |
         If(!record.remote_cancels.empty(), kRemoteCancels) | If(record.combinator.has_value(), kCombinator);
}

}  // namespace

void Encode(const core::FutureRecord& record, std::string& out) {
  MUSTER_DCHECK(record.state != values::State::kExpired) << "a state that is only ever reported";
  Writer writer(out);
  writer.Byte(kRowVersion);
  writer.Byte(
      static_cast<uint8_t>(static_cast<uint8_t>(record.kind) | static_cast<uint8_t>(record.state) << kStateShift));
  const uint64_t mask = MaskOf(record);
  writer.Varint(mask);
  writer.Varint(record.ns);
  writer.Varint(record.id.incarnation);
  writer.Varint(record.id.slot);
  writer.Fixed16(record.id.ns_tag);
  writer.Time(record.create_time);
  if (mask & kStartTime) writer.TimeSince(record.create_time, record.start_time);
  if (mask & kEndTime) writer.TimeSince(record.create_time, record.end_time);
  if (mask & kDue) writer.TimeSince(record.create_time, record.due);
  if (mask & kCompletion) writer.Varint(record.completion_sequence);
  if (mask & kOutcome) detail::Write(*record.outcome, writer);
  if (mask & kAttempt) writer.Varint(record.attempt);
  if (mask & kRetention) writer.Span(record.retention);
  if (mask & kFunctionId) writer.Varint(record.function);
  if (mask & kRequests) {
    writer.Varint(record.requests.size());
    for (const core::RequestRecord& request : record.requests) {
      writer.Text(request.request_id);
      Write(request, record.ns, record.id, record.create_time, writer);
    }
  }
  if (mask & kOptions) Write(*record.options, record.requests, writer);
  if (mask & kFunctionKind) writer.Byte(static_cast<uint8_t>(record.function_kind));
  if (mask & kCancelling) writer.Varint(record.cancelling);
  if (mask & kCancelTime) writer.TimeSince(record.create_time, record.cancel_time);
  if (mask & kCancelMessage) writer.Text(record.cancel_message);
  if (mask & kSettleRequestId) writer.Text(record.settle_request_id);
  if (mask & kRemoteCancels) Write(record.remote_cancels, writer);
  if (mask & kCombinator) Write(*record.combinator, writer);
}

void Encode(const values::Payload& payload, std::string& out) {
  Writer writer(out);
  writer.Byte(kRowVersion);
  detail::Write(payload, writer);
}

void Encode(const core::MembersRecord& members, std::string& out) {
  Writer writer(out);
  writer.Byte(kRowVersion);
  writer.Varint(members.members.size());
  for (const core::MemberRecord& member : members.members) {
    writer.Id(member.id);
    writer.Varint(member.times);
  }
  writer.Varint(members.positions.size());
  for (const uint32_t position : members.positions) writer.Varint(position);
}

void Encode(const core::RequestRecord& record, std::string& out) {
  Writer writer(out);
  writer.Byte(kRowVersion);
  Write(record, record.ns, {}, {}, writer);
}

void Encode(const core::MarksRecord& marks, std::string& out) {
  Writer writer(out);
  writer.Byte(kRowVersion);
  writer.Varint(marks.last_sequence);
  writer.Varint(marks.last_completion);
}

void Encode(const FunctionRow& function, std::string& out) {
  Writer writer(out);
  writer.Byte(kRowVersion);
  writer.Byte(static_cast<uint8_t>(function.kind));
  writer.Text(function.name);
}

void Encode(const HeaderRow& header, std::string& out) {
  Writer writer(out);
  writer.Byte(kRowVersion);
  writer.Varint(header.schema);
  writer.Varint(header.shards);
  writer.Text(header.written_by);
}

void EncodeName(std::string_view name, std::string& out) {
  Writer writer(out);
  writer.Byte(kRowVersion);
  writer.Text(name);
}

}  // namespace muster::rows
