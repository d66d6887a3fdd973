#include "tests/bench/run_scan.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "muster/v1/future_service.pb.h"

namespace muster::bench {
namespace {

namespace pb = muster::v1;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

uint32_t Varint(int field) { return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT); }
uint32_t Bytes(int field) { return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED); }

// Calls `read(tag)` for each field of the message that starts here with its length; it reads the field's value.
template <typename Read>
bool ScanMessage(CodedInputStream& in, const Read& read) {
  int length = 0;
  if (!in.ReadVarintSizeAsInt(&length)) return false;
  const auto limit = in.PushLimit(length);
  while (const uint32_t tag = in.ReadTag()) {
    if (!read(tag)) return false;
  }
  const bool whole = in.ConsumedEntireMessage();
  in.PopLimit(limit);
  return whole;
}

bool ScanDone(CodedInputStream& in, RunScan& scan) {
  uint64_t item = 0;
  uint32_t state = 0;
  const auto read_completion = [&](uint32_t tag) {
    if (tag == Varint(pb::Completion::kStateFieldNumber)) return in.ReadVarint32(&state);
    return WireFormatLite::SkipField(&in, tag);
  };
  const auto read_done = [&](uint32_t tag) {
    if (tag == Varint(pb::RunResponse::Done::kTagFieldNumber)) return in.ReadVarint64(&item);
    if (tag == Bytes(pb::RunResponse::Done::kCompletionFieldNumber)) return ScanMessage(in, read_completion);
    return WireFormatLite::SkipField(&in, tag);
  };
  if (!ScanMessage(in, read_done)) return false;
  if (state != pb::FUTURE_STATE_SUCCEEDED) scan.failure = "an item did not succeed";
  scan.done_tags.push_back(item);
  return true;
}

bool Scan(CodedInputStream& in, RunScan& scan) {
  while (const uint32_t tag = in.ReadTag()) {
    if (tag == Varint(pb::RunResponse::kCreditsFieldNumber)) {
      if (!in.ReadVarint32(&scan.credits)) return false;
    } else if (tag == Bytes(pb::RunResponse::kDoneFieldNumber)) {
      if (!ScanDone(in, scan)) return false;
    } else if (!WireFormatLite::SkipField(&in, tag)) {
      return false;
    }
  }
  return in.ConsumedEntireMessage();
}

}  // namespace

void ScanRunResponse(std::span<const uint8_t> bytes, RunScan& scan) {
  scan.credits = 0;
  scan.done_tags.clear();
  scan.failure.clear();
  CodedInputStream in(bytes.data(), static_cast<int>(bytes.size()));
  if (!Scan(in, scan)) scan.failure = "an answer is no RunResponse";
  if (scan.failure.empty()) return;
  pb::RunResponse whole;
  if (!whole.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  for (const auto& done : whole.done()) {
    if (done.completion().state() == pb::FUTURE_STATE_SUCCEEDED) continue;
    scan.failure += ": " + done.ShortDebugString();
    return;
  }
}

}  // namespace muster::bench
