// Where a field stands in a request, and how a value that it may not have is refused: with its path, its value, the
// limit and what to do.
//
// Threading: none of its own. A path refers to the one it extends, so each is a local of whoever extends it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/base/reason.h"

namespace muster::values {

// The text is made only for an error.
class Path {
 public:
  explicit Path(const char* name, int index = -1) : name_(name), index_(index) {}
  Path(const Path& parent, const char* name) : parent_(&parent), name_(name) {}
  Path(const Path& parent, const char* name, int index) : parent_(&parent), name_(name), index_(index) {}
  std::string Text() const;  // "futures[3].options.delay"

 private:
  const Path* parent_ = nullptr;
  const char* name_;
  int index_ = -1;
};

absl::Status RefuseField(base::Reason reason, const Path& field, std::string_view message);

// INVALID_FIELD when it is longer than `max` bytes.
absl::Status CheckText(std::string_view text, size_t max, const Path& field);
// INVALID_DURATION when it is outside [min, max].
absl::Status CheckDuration(base::Duration duration, base::Duration min, base::Duration max, const Path& field);

// In quotes and not too long, for a message.
std::string Quoted(std::string_view text);

}  // namespace muster::values
