// The families of functions that musterd has.
#pragma once

#include "service/functions/family.h"

namespace muster::app {

// In the order of the configuration's reference page; each with its defaults.
functions::Families AllFamilies();

}  // namespace muster::app
