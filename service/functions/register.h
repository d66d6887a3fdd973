// Adds one function to a registry. Each is in the file of its name.
#pragma once

#include <memory>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/functions/file_root.h"
#include "service/functions/http_options.h"
#include "service/jobs/registry.h"

namespace muster::executor {
class Reactor;
}

namespace muster::functions {

absl::Status RegisterEcho(jobs::Registry& registry);
absl::Status RegisterSleep(jobs::Registry& registry, base::Duration sleep_max);
absl::Status RegisterFail(jobs::Registry& registry);
// `root` may be null: no "path" then.
absl::Status RegisterChecksum(jobs::Registry& registry, std::shared_ptr<const FileRoot> root);
absl::Status RegisterFileRead(jobs::Registry& registry, std::shared_ptr<const FileRoot> root);
absl::Status RegisterFileWrite(jobs::Registry& registry, std::shared_ptr<const FileRoot> root);
absl::Status RegisterFileList(jobs::Registry& registry, std::shared_ptr<const FileRoot> root);
absl::Status RegisterHttpRequest(jobs::Registry& registry, const HttpOptions& options, executor::Reactor& reactor);
absl::Status RegisterTestProgram(jobs::Registry& registry);

}  // namespace muster::functions
