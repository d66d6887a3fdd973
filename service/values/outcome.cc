#include "service/values/outcome.h"

#include <limits>
#include <utility>

namespace muster::values {
namespace {

// What one entry of a gather counts for beside the outcome it refers to, which its member counts for.
constexpr size_t kGatheredEntryBytes = sizeof(OutcomeRef);

size_t AddHeld(size_t a, size_t b) {
  return b > std::numeric_limits<size_t>::max() - a ? std::numeric_limits<size_t>::max() : a + b;
}

const Payload::Content& EmptyContent() {
  static const Payload::Content empty;
  return empty;
}

}  // namespace

Payload Payload::Bytes(std::string body) {
  Content content;
  content.encoding = Encoding::kBytes;
  content.body = std::move(body);
  return Payload(std::move(content));
}

Payload Payload::Text(std::string body) {
  Content content;
  content.encoding = Encoding::kText;
  content.body = std::move(body);
  return Payload(std::move(content));
}

const std::string& Payload::body() const { return content ? content->body : EmptyContent().body; }
std::string_view Payload::content_type() const { return content ? content->content_type.view() : std::string_view(); }

size_t Payload::ByteSize() const {
  if (!content) return 0;
  return content->body.size() + content->content_type.size() + content->metadata.bytes();
}

size_t ByteSize(const Error& error) {
  size_t size = 0;
  for (const Error* at = &error; at != nullptr; at = at->cause.get()) {
    size += at->type.size() + at->message.size() + at->details.ByteSize();
  }
  return size;
}

OutcomeRef Outcome::Value(Payload value) {
  auto outcome = std::allocate_shared<Outcome>(base::PoolAllocator<Outcome>());
  outcome->kind = Kind::kValue;
  outcome->value = std::move(value);
  return outcome;
}

OutcomeRef Outcome::Failed(Error error) {
  auto outcome = std::allocate_shared<Outcome>(base::PoolAllocator<Outcome>());
  outcome->kind = Kind::kError;
  outcome->error = std::make_shared<const Error>(std::move(error));
  return outcome;
}

OutcomeRef Outcome::Cancelled(std::string message, FutureId origin) {
  Error error;
  error.kind = ErrorKind::kCancelled;
  error.type = "CancelledError";
  error.message = std::move(message);
  error.origin = origin;
  auto outcome = std::allocate_shared<Outcome>(base::PoolAllocator<Outcome>());
  outcome->kind = Kind::kCancelled;
  outcome->error = std::make_shared<const Error>(std::move(error));
  return outcome;
}

OutcomeRef Outcome::Gathered(std::vector<OutcomeRef> results) {
  auto outcome = std::allocate_shared<Outcome>(base::PoolAllocator<Outcome>());
  outcome->kind = Kind::kGathered;
  for (const OutcomeRef& result : results) {
    outcome->gathered_bytes = AddHeld(outcome->gathered_bytes, AddHeld(result->ByteSize(), kGatheredEntryBytes));
  }
  outcome->gathered = std::move(results);
  return outcome;
}

bool Outcome::RaisesCancelled() const {
  return kind == Kind::kCancelled || (kind == Kind::kError && error->kind == ErrorKind::kCancelled);
}

size_t Outcome::ByteSize() const {
  switch (kind) {
    case Kind::kValue:
      return value.ByteSize();
    case Kind::kError:
    case Kind::kCancelled:
      return values::ByteSize(*error);
    case Kind::kGathered:
      return gathered_bytes;
  }
  return 0;
}

}  // namespace muster::values
