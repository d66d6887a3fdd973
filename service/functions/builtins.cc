#include "service/functions/builtins.h"

#include <memory>

#include "service/base/status.h"
#include "service/functions/register.h"

namespace muster::functions {

absl::Status RegisterBuiltins(jobs::Registry& registry, const BuiltinOptions& options) {
  std::shared_ptr<const FileRoot> root;
  if (!options.files.root.empty()) {
    MUSTER_ASSIGN_OR_RETURN(root, FileRoot::Open(options.files));
  }
  MUSTER_RETURN_IF_ERROR(RegisterEcho(registry));
  MUSTER_RETURN_IF_ERROR(RegisterSleep(registry, options.sleep_max));
  MUSTER_RETURN_IF_ERROR(RegisterFail(registry));
  MUSTER_RETURN_IF_ERROR(RegisterChecksum(registry, root));
  if (root != nullptr) {
    MUSTER_RETURN_IF_ERROR(RegisterFileRead(registry, root));
    MUSTER_RETURN_IF_ERROR(RegisterFileWrite(registry, root));
    MUSTER_RETURN_IF_ERROR(RegisterFileList(registry, root));
  }
  if (options.reactor != nullptr) {
    MUSTER_RETURN_IF_ERROR(RegisterHttpRequest(registry, options.http, *options.reactor));
  }
  if (options.test_program) {
    MUSTER_RETURN_IF_ERROR(RegisterTestProgram(registry));
  }
  return absl::OkStatus();
}

}  // namespace muster::functions
