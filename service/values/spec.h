// What a future is made of: a call of a function, a promise, or a combinator over others.
#pragma once

#include <chrono>
#include <optional>
#include <variant>
#include <vector>

#include "service/base/clock.h"
#include "service/values/future.h"
#include "service/values/id.h"
#include "service/values/outcome.h"

namespace muster::values {

struct JobSpec {
  FunctionId function = 0;
  FunctionKind kind = FunctionKind::kAsync;
  Payload input;
};
struct PromiseSpec {};
struct GatherSpec {
  std::vector<FutureId> members;  // duplicates allowed, empty allowed (semantics 43, 45)
  bool return_exceptions = false;
};
struct ShieldSpec {
  FutureId inner;
};
struct WaitForSpec {
  FutureId inner;
  std::optional<base::Duration> timeout;  // absent: unbounded; <= 0: semantics 60
  base::Duration grace = std::chrono::seconds(10);
};
using FutureSpec = std::variant<JobSpec, PromiseSpec, GatherSpec, ShieldSpec, WaitForSpec>;

}  // namespace muster::values
