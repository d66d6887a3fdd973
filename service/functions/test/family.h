// `test.program`, for tests of what a job's body may do.
#pragma once

#include "service/functions/family.h"

namespace muster::functions {

class TestFamily final : public Family {
 public:
  std::string_view name() const override { return "test"; }
  absl::Status Register(jobs::Registry& registry, const Environment& environment) const override;
  std::string_view existence() const override { return "`test.program` under `--clock=manual` only"; }
};

}  // namespace muster::functions
