#include "service/functions/basic/family.h"

#include "service/base/status.h"
#include "service/functions/basic/register.h"

namespace muster::functions {

std::vector<base::Option> BasicFamily::Options() {
  return {{"functions.sleep_max", base::ValueType::kDuration, &options_.sleep_max,
           "Longest time that the function sleep takes.", 0, 3650 * base::kDay}};
}

absl::Status BasicFamily::Register(jobs::Registry& registry, const Environment&) const {
  MUSTER_RETURN_IF_ERROR(RegisterEcho(registry));
  MUSTER_RETURN_IF_ERROR(RegisterSleep(registry, options_.sleep_max));
  return RegisterFail(registry);
}

}  // namespace muster::functions
