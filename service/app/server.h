// The whole server, wired: the only place that knows every part of it.
#pragma once

#include "absl/status/status.h"

#include "service/app/main.h"
#include "service/app/settings/config.h"

namespace muster::app {

// Serves until SIGTERM or SIGINT, then drains. OK after a drain; an error when it could not start. Signals are blocked
// and the log is started by the caller. `config` outlives the call.
absl::Status RunServer(const Config& config, const AddFunctions& add);

}  // namespace muster::app
