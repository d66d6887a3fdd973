#include "service/core/kinds/kind.h"

#include <cstddef>
#include <iterator>
#include <variant>

#include "service/core/kinds/gather.h"
#include "service/core/kinds/job.h"
#include "service/core/kinds/promise.h"
#include "service/core/kinds/shield.h"
#include "service/core/kinds/wait_for.h"

namespace muster::core {
namespace {

// By FutureKind, which is the order of FutureSpec.
const Kind* const kKinds[] = {&kJobKind, &kPromiseKind, &kGatherKind, &kShieldKind, &kWaitForKind};
static_assert(std::size(kKinds) == std::variant_size_v<FutureSpec>);

}  // namespace

const Kind& KindOf(FutureKind kind) { return *kKinds[static_cast<size_t>(kind)]; }

}  // namespace muster::core
