// Coroutines as the client's coroutine face and async functions are written with: tasks and what they wait for.
#pragma once

#include "service/coro/cancel.h"     // IWYU pragma: export
#include "service/coro/channel.h"    // IWYU pragma: export
#include "service/coro/event.h"      // IWYU pragma: export
#include "service/coro/scope.h"      // IWYU pragma: export
#include "service/coro/semaphore.h"  // IWYU pragma: export
#include "service/coro/sleep.h"      // IWYU pragma: export
#include "service/coro/task.h"       // IWYU pragma: export
#include "service/coro/timeout.h"    // IWYU pragma: export
