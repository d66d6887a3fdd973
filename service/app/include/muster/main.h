// musterd as a library, for programs of your own: docs/how-to/own-functions.md.
#pragma once

#include "service/app/main.h"  // IWYU pragma: export
