// What the admin port of musterd answers besides its pages. All are POSTs: they change something, or a program asks.
#pragma once

#include "service/app/store_watch.h"
#include "service/executor/manual_time.h"
#include "service/http/router.h"

namespace muster::app {

// For `muster admin`, on a server with a store:
//   POST /store/compact, /store/verify, /store/backup/NAME   begins it; the answer says how it stands
//   POST /store/operation                                    how the last one stands
void AddStoreRoutes(http::Router& router, StoreWatch& store);

// For whoever tests against a server with --clock=manual, where nothing that takes time happens by itself:
//   POST /clock/advance/1m30s   moves the clock, from timer to timer, and answers when all is quiet again
// The listener's thread waits meanwhile, ten seconds at most: scrapes and probes come after it.
void AddClockRoutes(http::Router& router, executor::ManualTime& time);

}  // namespace muster::app
