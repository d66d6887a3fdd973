// Ids that are not there.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "service/base/reason.h"
#include "service/core/door/values.h"

namespace muster::core {

// For whoever is refused because of them: the first few by name, and how many there are.
class Missing {
 public:
  void Add(const FutureId& id, base::Reason why) {
    if (named_.size() < kNamedMax) named_.emplace_back(id, why);
    ++count_;
  }
  bool empty() const { return count_ == 0; }
  // Not when it is empty.
  const FutureId& first() const { return named_.front().first; }
  // Not when it is empty.
  absl::Status Refusal() const;

 private:
  static constexpr size_t kNamedMax = 10;
  std::vector<std::pair<FutureId, base::Reason>> named_;
  size_t count_ = 0;
};

}  // namespace muster::core
