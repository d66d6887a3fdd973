// `http.request`.
#pragma once

#include <utility>

#include "service/functions/family.h"
#include "service/functions/http/options.h"

namespace muster::functions {

class HttpFamily final : public Family {
 public:
  explicit HttpFamily(HttpOptions options = {}) : options_(std::move(options)) {}

  std::string_view name() const override { return "http"; }
  std::vector<base::Option> Options() override;
  std::vector<base::OptionProblem> Check() const override;
  absl::Status Register(jobs::Registry& registry, const Environment& environment) const override;

 private:
  HttpOptions options_;
};

}  // namespace muster::functions
