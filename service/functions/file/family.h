// `file.read`, `file.write`, `file.list` below one directory, and `checksum`, which also takes the files there.
#pragma once

#include <utility>

#include "service/functions/family.h"
#include "service/functions/file/root.h"

namespace muster::functions {

class FileFamily final : public Family {
 public:
  explicit FileFamily(FileOptions options = {}) : options_(std::move(options)) {}

  std::string_view name() const override { return "file"; }
  std::vector<base::Option> Options() override;
  std::vector<base::OptionProblem> Check() const override;
  absl::Status Register(jobs::Registry& registry, const Environment& environment) const override;
  std::string_view existence() const override {
    return "`file.*` and the \"path\" of `checksum` exist when a root is configured";
  }

 private:
  FileOptions options_;
};

}  // namespace muster::functions
