// The bytes of a Run stream, read and written item by item without a message for each: RunRequest in, RunResponse out.
//
// A stream carries many small items of one shape, and making the messages for them cost more than running the jobs
// (docs/adr/0044-run-codec.md). What is usual is done by hand here; whatever else there is goes through protobuf, which
// stays the judge of what a RunRequest is. Both ways give the same: the unit tests compare them.
//
//   RunRequestReader reader(directory, limits.payload_bytes_max);
//   if (!reader.Read(bytes)) ...                              // no RunRequest
//   for (const RunItem& item : reader.items()) ...
//
//   RunResponseWriter writer;
//   writer.Accepted(tag, id);
//   writer.Completed(tag, completion, room, OnOverflow::kOmitOutcome);
//   ... writer.bytes() ...
//   writer.Clear();                                           // and so on, in the same memory
//
// Threading: none of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "muster/v1/future_service.pb.h"
#include "service/core/door/effect.h"
#include "service/dispatch/directory.h"
#include "service/values/id.h"
#include "service/wire/convert.h"
#include "service/wire/format.h"
#include "service/wire/plain.h"

namespace muster::wire {

// One item of a RunRequest: a plain call, or what its message says.
struct RunItem {
  bool plain() const { return spec.function != nullptr; }

  uint64_t tag = 0;
  PlainSpec spec;
  // Any other item; of the reader, and free to be moved out of.
  pb::RunRequest::Item* message = nullptr;
};

class RunRequestReader {
 public:
  // Calls with more than `plain_bytes_max` of input are not plain: what refuses them reads messages.
  RunRequestReader(const dispatch::Directory& functions, uint64_t plain_bytes_max)
      : specs_(functions, plain_bytes_max) {}
  RunRequestReader(const RunRequestReader&) = delete;
  RunRequestReader& operator=(const RunRequestReader&) = delete;

  // False makes a message of every item, for streams whose defaults or session add something to each.
  void set_plain_calls(bool wanted) { plain_calls_ = wanted; }

  // False when `bytes` are no RunRequest, just where protobuf's own parser fails; then nothing else here means
  // anything. What is read is valid until the next Read, and as long as `bytes` are.
  bool Read(std::string_view bytes);

  bool has_open() const { return whole_.has_open(); }
  pb::RunOpen& open() { return *whole_.mutable_open(); }
  std::span<const RunItem> items() const { return items_; }
  std::span<const uint64_t> cancel_tags() const { return cancel_tags_; }

 private:
  enum class Found { kUsual, kUnusual, kMalformed };

  void Clear();
  Found ReadUsual(std::string_view bytes);
  bool ReadWhole(std::string_view bytes);
  bool AddItem(std::string_view bytes);
  bool ReadItem(std::string_view bytes, RunItem& item);

  PlainSpecReader specs_;
  bool plain_calls_ = true;

  // Reused, capacity and all.
  std::vector<RunItem> items_;
  std::vector<uint64_t> cancel_tags_;
  pb::RunRequest whole_;  // items that are not plain, or all of a message that is not usual
};

// What to do with an outcome that there is no room for.
enum class OnOverflow { kOmitOutcome, kWriteNothing };

class RunResponseWriter {
 public:
  RunResponseWriter() = default;
  RunResponseWriter(const RunResponseWriter&) = delete;
  RunResponseWriter& operator=(const RunResponseWriter&) = delete;

  // Until the next call of anything else.
  std::string_view bytes() const { return buffer_.bytes(); }
  void Clear();

  void Credits(uint32_t credits);
  void Accepted(uint64_t tag, const values::FutureId& id);
  // Takes from the room as FromCompletionWithOutcome does. False: nothing was written.
  bool Completed(uint64_t tag, const core::Completion& completion, Room& room, OnOverflow on_overflow);
  void Rejected(uint64_t tag, const absl::Status& refusal, Room& room);

 private:
  bool CompletedAsMessage(uint64_t tag, const core::Completion& completion, Room& room, OnOverflow on_overflow);
  void WriteDone();

  wire::Buffer buffer_;
  pb::RunResponse::Done done_;  // reused
};

}  // namespace muster::wire
