#include "service/values/options.h"

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/values/bounds.h"

namespace muster::values {
namespace {

using base::Duration;
using base::Reason;

// What the column `most` of the table says.
struct AtMost {
  explicit AtMost(size_t b) : bytes(b) {}
  size_t bytes;
};
struct AsLabels {};
struct AsMetadata {};
struct OneOfItsWords {};

absl::Status Check(const Text& text, AtMost most, const Path& field) { return CheckText(text, most.bytes, field); }

absl::Status Check(const Words& labels, AsLabels, const Path& field) {
  if (labels.size() > kLabelsMax) {
    return RefuseField(Reason::kInvalidField, field,
                       fmt::format("{} labels; at most {} are allowed", labels.size(), kLabelsMax));
  }
  for (const auto& [key, value] : labels) {
    if (key.empty()) return RefuseField(Reason::kInvalidField, field, "a label's key is empty");
    MUSTER_RETURN_IF_ERROR(CheckText(key, kLabelKeyMax, field));
    MUSTER_RETURN_IF_ERROR(CheckText(value, kLabelValueMax, field));
  }
  return absl::OkStatus();
}

absl::Status Check(const Words& metadata, AsMetadata, const Path& field) {
  const size_t bytes = metadata.bytes();
  if (bytes <= kMetadataBytesMax) return absl::OkStatus();
  return RefuseField(Reason::kInvalidField, field,
                     fmt::format("{} bytes of keys and values; at most {} are allowed", bytes, kMetadataBytesMax));
}

absl::Status Check(Duration duration, Duration most, const Path& field) {
  return CheckDuration(duration, Duration::zero(), most, field);
}

absl::Status Check(const MaybeDuration& duration, Duration most, const Path& field) {
  return duration ? Check(*duration, most, field) : absl::OkStatus();
}

absl::Status Check(Execution, OneOfItsWords, const Path&) { return absl::OkStatus(); }

size_t TextBytes(const Text& text) { return text.size(); }
size_t TextBytes(const Words& words) { return words.bytes(); }
size_t TextBytes(const auto&) { return 0; }

}  // namespace

bool operator==(const Options& a, const Options& b) {
#define MUSTER_SAME_OPTION(name, ...) &&a.name == b.name
  return true MUSTER_JOB_OPTIONS(MUSTER_SAME_OPTION, MUSTER_NO_OPTION);
#undef MUSTER_SAME_OPTION
}

absl::Status CheckOptions(const Options& options, const Limits& limits, const Path& field) {
#define MUSTER_CHECK_OPTION(name, kind, whom, most, ...) \
  MUSTER_RETURN_IF_ERROR(Check(options.name, most, Path(field, #name)));
  MUSTER_JOB_OPTIONS(MUSTER_CHECK_OPTION, MUSTER_NO_OPTION)
#undef MUSTER_CHECK_OPTION
  return absl::OkStatus();
}

size_t ByteSize(const Options& options) {
  size_t bytes = 0;
#define MUSTER_COUNT_OPTION(name, ...) bytes += TextBytes(options.name);
  MUSTER_JOB_OPTIONS(MUSTER_COUNT_OPTION, MUSTER_NO_OPTION)
#undef MUSTER_COUNT_OPTION
  return bytes;
}

}  // namespace muster::values
