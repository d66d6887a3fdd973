#include "service/functions/test/family.h"

#include "service/functions/test/register.h"

namespace muster::functions {

absl::Status TestFamily::Register(jobs::Registry& registry, const Environment& environment) const {
  if (!environment.manual_clock && !environment.describe) return absl::OkStatus();
  return RegisterTestProgram(registry);
}

}  // namespace muster::functions
