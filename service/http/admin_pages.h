// What every admin port shows: /metrics for Prometheus, /healthz and /readyz for probes, and an index for people.
#pragma once

#include <string>

#include "service/base/function.h"
#include "service/http/router.h"

namespace muster::http {

struct Readiness {
  bool ready = false;
  std::string reason;  // why not, in a few words: "starting", "draining"
};

// Called on the listener's thread; must not block for long.
struct AdminPages {
  base::UniqueFunction<std::string()> metrics;
  std::string metrics_content_type;
  base::UniqueFunction<Readiness()> readiness;
  std::string title;  // of the index: name and version
};

void AddAdminPages(Router& router, AdminPages pages);

}  // namespace muster::http
