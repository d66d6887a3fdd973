#include "service/jobs/error_codec.h"

#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace muster::jobs {
namespace {

constexpr int kCausesMax = 8;

void PutNumber(uint64_t value, std::string& out) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void PutText(std::string_view text, std::string& out) {
  PutNumber(text.size(), out);
  out.append(text);
}

class Reader {
 public:
  explicit Reader(std::string_view rest) : rest_(rest) {}

  uint64_t Number() {
    uint64_t value = 0;
    if (rest_.size() < sizeof value) {
      ok_ = false;
      return 0;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }

  std::string Text() {
    const uint64_t size = Number();
    if (size > rest_.size()) {
      ok_ = false;
      return {};
    }
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }

  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

void Put(const values::Error& error, int depth, std::string& out) {
  PutNumber(static_cast<uint64_t>(error.kind), out);
  PutText(error.type, out);
  PutText(error.message, out);
  PutText(error.origin ? error.origin.ToText() : std::string(), out);
  PutNumber(static_cast<uint64_t>(error.details.encoding()), out);
  PutText(error.details.content_type(), out);
  PutText(error.details.body(), out);
  const bool has_cause = error.cause != nullptr && depth < kCausesMax;
  PutNumber(has_cause ? 1 : 0, out);
  if (has_cause) Put(*error.cause, depth + 1, out);
}

values::Error Take(Reader& reader, int depth) {
  values::Error error;
  error.kind = static_cast<values::ErrorKind>(reader.Number());
  error.type = reader.Text();
  error.message = reader.Text();
  error.origin = values::FutureId::Parse(reader.Text()).value_or(values::FutureId{});
  values::Payload::Content content;
  content.encoding = static_cast<values::Encoding>(reader.Number());
  content.content_type = reader.Text();
  content.body = reader.Text();
  if (content.encoding != values::Encoding::kNone) error.details = values::Payload(std::move(content));
  if (reader.Number() == 1 && reader.ok() && depth < kCausesMax) {
    error.cause = std::make_shared<const values::Error>(Take(reader, depth + 1));
  }
  return error;
}

}  // namespace

std::string EncodeError(const values::Error& error) {
  std::string out;
  Put(error, 0, out);
  return out;
}

std::optional<values::Error> DecodeError(const std::string& bytes) {
  Reader reader(bytes);
  values::Error error = Take(reader, 0);
  if (!reader.ok()) return std::nullopt;
  return error;
}

}  // namespace muster::jobs
