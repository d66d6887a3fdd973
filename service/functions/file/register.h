// Adds one function to a registry. Each is in the file of its name.
#pragma once

#include <memory>

#include "absl/status/status.h"

#include "service/functions/file/root.h"
#include "service/jobs/registry.h"

namespace muster::functions {

// `root` may be null: no "path" then.
absl::Status RegisterChecksum(jobs::Registry& registry, std::shared_ptr<const FileRoot> root);
absl::Status RegisterFileRead(jobs::Registry& registry, std::shared_ptr<const FileRoot> root);
absl::Status RegisterFileWrite(jobs::Registry& registry, std::shared_ptr<const FileRoot> root);
absl::Status RegisterFileList(jobs::Registry& registry, std::shared_ptr<const FileRoot> root);

}  // namespace muster::functions
