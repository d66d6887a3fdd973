#include "service/rows/detail/outcome_form.h"

#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "absl/container/flat_hash_map.h"

#include "service/base/check.h"
#include "service/rows/detail/form.h"

namespace muster::rows::detail {
namespace {

using values::Error;
using values::ErrorKind;
using values::Outcome;
using values::OutcomeRef;
using values::Payload;

void WriteError(const Error& first, Writer& writer) {
  int causes = 0;
  for (const Error* error = &first; error != nullptr; error = error->cause.get(), ++causes) {
    const bool has_cause = error->cause != nullptr && causes < kCausesMax;
    uint64_t mask = static_cast<uint64_t>(error->kind);
    if (!error->type.empty()) mask |= kType;
    if (!error->message.empty()) mask |= kMessage;
    if (error->details.content != nullptr) mask |= kDetails;
    if (has_cause) mask |= kCause;
    if (error->origin != values::FutureId{}) mask |= kOrigin;
    writer.Byte(static_cast<uint8_t>(mask));
    if (mask & kType) writer.Text(error->type);
    if (mask & kMessage) writer.Text(error->message);
    if (mask & kDetails) Write(error->details, writer);
    if (mask & kOrigin) writer.Id(error->origin);
    if (!has_cause) return;
  }
}

std::shared_ptr<const Error> ReadError(Reader& reader, int causes, const char* field) {
  auto error = std::make_shared<Error>();
  const uint64_t mask = reader.Byte(field);
  error->kind = reader.OneOf(mask & kErrorKindMask, ErrorKind::kInvalidInput, field);
  if (!reader.ok()) return error;
  if (mask & kType) error->type = reader.Text(field);
  if (mask & kMessage) error->message = reader.Text(field);
  if (mask & kDetails) error->details = ReadPayload(reader, field);
  if (mask & kOrigin) error->origin = reader.Id(field);
  if ((mask & kCause) && reader.ok()) {
    if (causes == kCausesMax) {
      reader.Refuse(field, fmt::format("an error with more than {} causes", kCausesMax));
    } else {
      error->cause = ReadError(reader, causes + 1, field);
    }
  }
  return error;
}

// Walks each part once, however many gathers share it.
class GatherWriter {
 public:
  explicit GatherWriter(Writer& writer) : writer_(writer) {}

  void Put(const Outcome& gather, int depth) {
    MUSTER_CHECK(depth < kGathersMax) << "gathers nest deeper than a server can be configured to let them";
    writer_.Varint(static_cast<uint64_t>(Outcome::Kind::kGathered));
    writer_.Varint(gather.gathered.size());
    for (const OutcomeRef& part : gather.gathered) PutPart(*part, depth);
  }

 private:
  void PutPart(const Outcome& part, int depth) {
    if (auto before = numbers_.find(&part); before != numbers_.end()) {
      return writer_.Varint(kFirstBackReference + before->second);
    }
    if (part.kind == Outcome::Kind::kGathered) {
      Put(part, depth + 1);
    } else {
      Write(part, writer_);
    }
    numbers_.emplace(&part, numbers_.size());
  }

  Writer& writer_;
  absl::flat_hash_map<const Outcome*, uint64_t> numbers_;  // in the order in which they were finished
};

class OutcomeReader {
 public:
  OutcomeReader(Reader& reader, const char* field) : reader_(reader), field_(field) {}

  // `gathers`: how many this one lies in.
  OutcomeRef Take(int gathers) {
    const uint64_t tag = reader_.Varint(field_);
    if (!reader_.ok()) return nullptr;
    if (tag >= kFirstBackReference) return Before(tag - kFirstBackReference);
    OutcomeRef outcome;
    switch (static_cast<Outcome::Kind>(tag)) {
      case Outcome::Kind::kValue:
        outcome = Outcome::Value(ReadPayload(reader_, field_));
        break;
      case Outcome::Kind::kError:
      case Outcome::Kind::kCancelled: {
        auto failed = std::make_shared<Outcome>();
        failed->kind = static_cast<Outcome::Kind>(tag);
        failed->error = ReadError(reader_, 0, field_);
        outcome = std::move(failed);
        break;
      }
      case Outcome::Kind::kGathered:
        outcome = Gather(gathers);
        break;
    }
    if (!reader_.ok()) return nullptr;
    if (gathers > 0) before_.push_back(outcome);
    return outcome;
  }

 private:
  OutcomeRef Before(uint64_t number) {
    if (number < before_.size()) return before_[number];
    reader_.Refuse(field_, fmt::format("refers to outcome {} of {} before it", number, before_.size()));
    return nullptr;
  }

  OutcomeRef Gather(int gathers) {
    if (gathers == kGathersMax) {
      reader_.Refuse(field_, fmt::format("gathers nest deeper than {}", kGathersMax));
      return nullptr;
    }
    const size_t count = reader_.Count(kOutcomeBytesMin, field_);
    std::vector<OutcomeRef> parts;
    parts.reserve(count);
    while (parts.size() < count) {
      OutcomeRef part = Take(gathers + 1);
      if (part == nullptr) return nullptr;
      parts.push_back(std::move(part));
    }
    return Outcome::Gathered(std::move(parts));
  }

  Reader& reader_;
  const char* const field_;
  std::vector<OutcomeRef> before_;
};

// Words by key, of either form.
template <typename Texts>
void WritePairs(const Texts& texts, Writer& writer) {
  writer.Varint(texts.size());
  for (const auto& [key, value] : texts) {
    writer.Text(key);
    writer.Text(value);
  }
}

using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

Pairs ReadPairs(Reader& reader, const char* field) {
  Pairs pairs;
  const size_t count = reader.Count(2 * kTextBytesMin, field);
  for (size_t at = 0; at < count && reader.ok(); ++at) {
    const std::string_view key = reader.Text(field);
    if (!reader.ok()) break;
    // In their order, which finds duplicates for nothing.
    if (!pairs.empty() && key <= pairs.back().first) {
      reader.Refuse(field, "a key that is there twice, or out of order");
      break;
    }
    pairs.emplace_back(key, reader.Text(field));
  }
  return pairs;
}

}  // namespace

void Write(const values::Words& words, Writer& writer) { WritePairs(words, writer); }

void Write(const Payload& payload, Writer& writer) {
  if (payload.content == nullptr) return writer.Byte(0);
  const Payload::Content& content = *payload.content;
  uint64_t mask = kContent | static_cast<uint64_t>(content.encoding) << kEncodingShift;
  if (!content.content_type.empty()) mask |= kContentType;
  if (!content.metadata.empty()) mask |= kMetadata;
  writer.Byte(static_cast<uint8_t>(mask));
  writer.Text(content.body);
  if (mask & kContentType) writer.Text(content.content_type);
  if (mask & kMetadata) Write(content.metadata, writer);
}

void Write(const Outcome& outcome, Writer& writer) {
  switch (outcome.kind) {
    case Outcome::Kind::kValue:
      writer.Varint(static_cast<uint64_t>(outcome.kind));
      return Write(outcome.value, writer);
    case Outcome::Kind::kError:
    case Outcome::Kind::kCancelled:
      writer.Varint(static_cast<uint64_t>(outcome.kind));
      return WriteError(*outcome.error, writer);
    case Outcome::Kind::kGathered:
      return GatherWriter(writer).Put(outcome, 0);
  }
}

values::Words ReadWords(Reader& reader, const char* field) {
  const Pairs pairs = ReadPairs(reader, field);
  return {pairs.begin(), pairs.end()};
}

Payload ReadPayload(Reader& reader, const char* field) {
  const uint64_t mask = reader.Byte(field);
  if ((mask & ~kPayloadBits) != 0 || (mask != 0 && !(mask & kContent))) {
    reader.Refuse(field, fmt::format("a payload can't begin with {:#x}", mask));
  }
  if (!reader.ok() || mask == 0) return {};
  Payload::Content content;
  content.encoding = reader.OneOf(mask >> kEncodingShift & kEncodingMask, values::Encoding::kJson, field);
  content.body = reader.Text(field);
  if (mask & kContentType) content.content_type = reader.Text(field);
  if (mask & kMetadata) content.metadata = ReadWords(reader, field);
  return Payload(std::move(content));
}

OutcomeRef ReadOutcome(Reader& reader, const char* field) { return OutcomeReader(reader, field).Take(0); }

}  // namespace muster::rows::detail
