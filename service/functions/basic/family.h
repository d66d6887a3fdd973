// `echo`, `sleep`, `fail`: for trying out a client, and for its tests.
#pragma once

#include "service/base/clock.h"
#include "service/functions/family.h"

namespace muster::functions {

struct BasicOptions {
  base::Duration sleep_max = std::chrono::hours(24 * 365);
};

class BasicFamily final : public Family {
 public:
  explicit BasicFamily(BasicOptions options = {}) : options_(options) {}

  std::string_view name() const override { return "basic"; }
  std::vector<base::Option> Options() override;
  absl::Status Register(jobs::Registry& registry, const Environment& environment) const override;

 private:
  BasicOptions options_;
};

}  // namespace muster::functions
