#include "service/core/futures/request_ids.h"

#include "service/base/check.h"

namespace muster::core {

RequestEntry* RequestIds::Find(NamespaceId ns, std::string_view request_id) {
  const auto found = entries_.find(Key(ns, request_id));
  return found == entries_.end() ? nullptr : found->get();
}

RequestEntry& RequestIds::Add(NamespaceId ns, const std::string& request_id) {
  const auto [entry, is_new] = entries_.insert(std::make_unique<RequestEntry>(ns, request_id));
  MUSTER_CHECK(is_new) << "a request id was added twice";
  return **entry;
}

void RequestIds::Erase(RequestEntry& entry) { entries_.erase(Key(entry.ns, entry.request_id)); }

}  // namespace muster::core
