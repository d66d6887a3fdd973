#include "service/verbs/entry.h"

#include "service/base/status.h"

namespace muster::verbs {
namespace {

// The one place where it is found out who calls.
Identity IdentityOf(const Rpc&) { return Anonymous(); }

absl::StatusOr<values::Namespace> OpenNamespace(Rpc& rpc, const std::string& name) {
  rpc.name_space = name.empty() ? "default" : name;
  if (rpc.name_space == rpc.loop.known_name) return rpc.loop.known_namespace;
  absl::StatusOr<values::Namespace> opened = rpc.service.OpenNamespace(rpc.name_space);
  if (opened.ok()) {
    rpc.loop.known_name = rpc.name_space;
    rpc.loop.known_namespace = *opened;
  }
  return opened;
}

}  // namespace

ServerEntry Enter(Rpc& rpc) { return ServerEntry{IdentityOf(rpc), rpc.service.limits()}; }

absl::StatusOr<Entry> Enter(Rpc& rpc, const std::string& name) {
  MUSTER_ASSIGN_OR_RETURN(const values::Namespace ns, OpenNamespace(rpc, name));
  return Entry{IdentityOf(rpc), ns, Quota(rpc.service, ns.id), rpc.service.limits()};
}

}  // namespace muster::verbs
