// How a future is to be treated, beside what it is.
//
// Most futures leave all of it at the defaults, and most of those that do not say one thing: so it is kept apart from
// the future, and what is not said takes next to no room.
//
// Threading: values.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"

#include "service/base/block_pool.h"
#include "service/base/clock.h"
#include "service/values/field.h"
#include "service/values/limits.h"
#include "service/values/option_table.h"
#include "service/values/text.h"
#include "service/values/words.h"

namespace muster::values {

// A duration that may be absent, in the room of one: like std::optional, which takes twice as much.
class MaybeDuration {
 public:
  MaybeDuration() = default;
  MaybeDuration(std::nullopt_t) {}  // NOLINT(google-explicit-constructor): as std::optional
  template <typename Rep, typename Period>
  MaybeDuration(std::chrono::duration<Rep, Period> duration) : duration_(duration) {}  // NOLINT: as std::optional

  bool has_value() const { return duration_ != kAbsent; }
  explicit operator bool() const { return has_value(); }
  base::Duration operator*() const { return duration_; }

  friend bool operator==(const MaybeDuration&, const MaybeDuration&) = default;

 private:
  static constexpr base::Duration kAbsent = base::Duration::min();  // no wire and no clock gives it

  base::Duration duration_ = kAbsent;
};

enum class Execution : uint8_t { kAtLeastOnce, kAtMostOnce };

struct OptionTypes {
  using Text = values::Text;
  using Words = values::Words;
  using Span = base::Duration;
  using MaybeSpan = MaybeDuration;
  using Execution = values::Execution;
};

// A field for each option that is kept: name, labels, group, request_id, request_id_ttl, delay, queue_timeout,
// run_timeout, execution, metadata.
struct Options : base::Pooled {
#define MUSTER_OPTION(name, kind, ...) OptionTypes::kind name{};
  MUSTER_JOB_OPTIONS(MUSTER_OPTION, MUSTER_NO_OPTION)
#undef MUSTER_OPTION

  friend bool operator==(const Options& a, const Options& b);
};

inline std::shared_ptr<Options> MakeOptions(Options options = {}) {
  return std::allocate_shared<Options>(base::PoolAllocator<Options>(), std::move(options));
}

// Of what an option is meant: of any future, of jobs, of the bodies of jobs (others may say it, and it means nothing),
// of what somebody stays attached to.
enum class OptionFor { kAny, kJobs, kBodies, kAttached };

// INVALID_FIELD or INVALID_DURATION for the first one that is out of bounds. `field`: where the options stand.
absl::Status CheckOptions(const Options& options, const Limits& limits, const Path& field);

// Bytes of all texts: what options count for against quotas.
size_t ByteSize(const Options& options);

}  // namespace muster::values
