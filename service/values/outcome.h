// What a future can come to. Payloads and outcomes are immutable and counted: an answer, a gather and a retained future
// share one copy, across threads too.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/base/block_pool.h"
#include "service/values/id.h"
#include "service/values/text.h"
#include "service/values/words.h"

namespace muster::values {

// How `body` is to be read. The core never looks inside; jobs/ parses JSON when a function asks for it.
enum class Encoding : uint8_t {
  kNone,   // no body at all
  kBytes,  // as is
  kText,   // UTF-8
  kJson,   // a serialized google.protobuf.Value
};

struct Payload {
  struct Content {
    Encoding encoding = Encoding::kNone;
    std::string body;
    values::Text content_type;
    Words metadata;
  };
  // Null is the empty payload.
  std::shared_ptr<const Content> content;

  Payload() = default;
  explicit Payload(Content c)
      : content(std::allocate_shared<const Content>(base::PoolAllocator<Content>(), std::move(c))) {}
  static Payload Bytes(std::string body);
  static Payload Text(std::string body);

  Encoding encoding() const { return content ? content->encoding : Encoding::kNone; }
  const std::string& body() const;
  std::string_view content_type() const;
  // What the payload counts for against quotas.
  size_t ByteSize() const;
};

enum class ErrorKind : uint8_t { kApplication, kCancelled, kTimedOut, kQueueTimedOut, kInterrupted, kInvalidInput };

struct Error {
  ErrorKind kind = ErrorKind::kApplication;
  std::string type;     // the function's own word for it, such as "ValueError"
  std::string message;  // for people
  Payload details;
  std::shared_ptr<const Error> cause;  // at most 8 deep
  FutureId origin;                     // the future where it arose, when that is another one
};

struct Outcome;
using OutcomeRef = std::shared_ptr<const Outcome>;

struct Outcome {
  enum class Kind : uint8_t { kValue, kError, kCancelled, kGathered };
  Kind kind = Kind::kValue;
  Payload value;                       // kValue
  std::shared_ptr<const Error> error;  // kError; for kCancelled its message and origin (never null there)
  std::vector<OutcomeRef> gathered;    // kGathered: in input order, a duplicate at every position
  // kGathered: what all of `gathered` counts for, held at the largest number instead of overflowing. Kept because a
  // gather of gathers of gathers shares its parts, and walking it would visit each part once a path.
  size_t gathered_bytes = 0;

  static OutcomeRef Value(Payload value);
  static OutcomeRef Failed(Error error);
  static OutcomeRef Cancelled(std::string message, FutureId origin = {});
  static OutcomeRef Gathered(std::vector<OutcomeRef> results);

  // What a Python caller would see raised as CancelledError: a cancelled future, or a gather that failed with kind
  // kCancelled (CPython 3.13 never calls a gather `cancelled`).
  bool RaisesCancelled() const;
  // O(1) for a gather made by Gathered().
  size_t ByteSize() const;
};

size_t ByteSize(const Error& error);

}  // namespace muster::values
