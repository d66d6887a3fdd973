// The way into a verb, the first thing each does: who calls, in which namespace, and what may be used there.
//
//   MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
//
// Threading: on the loop of the call. Lifetime: an entry is used within its verb.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "service/values/id.h"
#include "service/values/limits.h"
#include "service/verbs/identity.h"
#include "service/verbs/rpc.h"
#include "service/wire/convert.h"

namespace muster::verbs {

// The account of what a namespace's futures hold. The runtime keeps it, and refuses what would overdraw it.
class Quota {
 public:
  Quota(const runtime::Service& service, values::NamespaceId ns) : service_(service), ns_(ns) {}
  int64_t bytes_held() const { return service_.BytesHeld(ns_); }
  uint64_t bytes_max() const { return service_.limits().namespace_bytes_max; }

 private:
  const runtime::Service& service_;
  values::NamespaceId ns_;
};

// For the RPCs that are about the server, and name no namespace.
struct ServerEntry {
  Identity identity;
  const values::Limits& limits;
};

struct Entry {
  Identity identity;
  values::Namespace ns;
  Quota quota;
  const values::Limits& limits;
};

ServerEntry Enter(Rpc& rpc);
// An empty name is "default". A namespace is made on first use: INVALID_FIELD for what is no name,
// TOO_MANY_NAMESPACES. The Rpc keeps the name.
absl::StatusOr<Entry> Enter(Rpc& rpc, const std::string& name);

// For what the caller submits.
inline wire::SubmitContext SubmitContextOf(const Rpc& rpc, values::Namespace ns) {
  return wire::SubmitContext(rpc.service.limits(), rpc.service.directory(), rpc.shared.info.durability, ns);
}

}  // namespace muster::verbs
