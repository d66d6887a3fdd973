// Taking up what the store holds: rows to records, records to shards, shards tied together. The jobs come later.
//
// Threading: any one thread, while the loops may run already but touch no shard.
#pragma once

#include "absl/status/statusor.h"

#include "service/base/clock.h"
#include "service/dispatch/directory.h"
#include "service/runtime/admission/namespaces.h"
#include "service/runtime/host/hosts.h"
#include "service/runtime/service.h"
#include "service/runtime/store.h"

namespace muster::runtime {

// DATA_LOSS: what is stored contradicts itself. FAILED_PRECONDITION: it needs what this server does not have.
absl::StatusOr<Recovered> Recover(Store& store, Hosts& hosts, Namespaces& namespaces,
                                  const dispatch::Directory& directory, base::Instant now);

}  // namespace muster::runtime
