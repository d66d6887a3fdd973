// What nearly every call is, read and written without a message: the FutureSpec of a plain call, the Completion with a
// value (docs/adr/0044-run-codec.md). Protobuf deals with all others, and is the judge of both.
//
// Threading: none of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "service/core/door/effect.h"
#include "service/dispatch/directory.h"
#include "service/wire/convert.h"

namespace muster::wire {

// A call of a function that there is, its input no more than bytes or nothing at all, without options.
struct PlainSpec {
  const dispatch::Function* function = nullptr;
  bool has_data = false;
  std::string_view data;  // in the bytes that were read
};

class PlainSpecReader {
 public:
  // Calls with more than `data_bytes_max` of input are not plain: what refuses them reads messages.
  PlainSpecReader(const dispatch::Directory& functions, uint64_t data_bytes_max)
      : functions_(functions), data_bytes_max_(data_bytes_max) {}

  // False when the FutureSpec is another one, or malformed; then `spec`, empty before, means nothing.
  bool Read(std::string_view bytes, PlainSpec& spec);

 private:
  bool ReadCall(std::string_view bytes, PlainSpec& spec);

  const dispatch::Directory& functions_;
  const uint64_t data_bytes_max_;
  const dispatch::Function* last_ = nullptr;  // most clients call one function
};

// The input of the job that it asks for.
values::Payload InputOf(const PlainSpec& spec);

// The canonical bytes of such a FutureSpec, with options that say nothing.
std::string PlainSpecBytes(std::string_view function, const values::Payload& input);

// A completion with a value of bytes or text, beside which there may be a content type and nothing more.
bool IsPlain(const core::Completion& completion);

// The bytes of a completion that IsPlain.
class PlainCompletion {
 public:
  // Takes from the room as FromCompletionWithOutcome does, and leaves the outcome out when it does not fit.
  PlainCompletion(const core::Completion& completion, Room& room);

  bool outcome_fits() const { return fits_; }
  size_t size() const { return size_; }
  // So many bytes; returns their end.
  char* Put(char* at) const;

 private:
  const core::Completion& completion_;
  size_t payload_size_;
  size_t outcome_size_;
  bool fits_;
  size_t size_;
};

}  // namespace muster::wire
