#include "service/values/field.h"

#include "fmt/format.h"

#include "service/base/shortened.h"

namespace muster::values {
namespace {

using base::Reason;

std::string Seconds(base::Duration duration) {
  return fmt::format("{} s", static_cast<double>(duration.count()) / 1e6);
}

}  // namespace

std::string Path::Text() const {
  std::string text = parent_ != nullptr ? parent_->Text() + "." : std::string();
  text += name_;
  if (index_ >= 0) text += fmt::format("[{}]", index_);
  return text;
}

absl::Status RefuseField(Reason reason, const Path& field, std::string_view message) {
  const std::string path = field.Text();
  return base::Refuse(reason, fmt::format("{}: {}", path, message), path);
}

absl::Status CheckText(std::string_view text, size_t max, const Path& field) {
  if (text.size() <= max) return absl::OkStatus();
  return RefuseField(Reason::kInvalidField, field,
                     fmt::format("{} has {} bytes; at most {} are allowed", Quoted(text), text.size(), max));
}

absl::Status CheckDuration(base::Duration duration, base::Duration min, base::Duration max, const Path& field) {
  if (duration < min) {
    return RefuseField(Reason::kInvalidDuration, field,
                       fmt::format("{} is too short; give at least {}", Seconds(duration), Seconds(min)));
  }
  if (duration > max) {
    return RefuseField(Reason::kInvalidDuration, field,
                       fmt::format("{} is too long; give at most {}", Seconds(duration), Seconds(max)));
  }
  return absl::OkStatus();
}

std::string Quoted(std::string_view text) { return fmt::format("\"{}\"", base::Shortened(text, 64)); }

}  // namespace muster::values
