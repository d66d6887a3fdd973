#include "service/core/detail/request_ids.h"

#include "service/base/check.h"
#include "service/core/detail/groups.h"

namespace muster::core {

RequestEntry* RequestIds::Find(NamespaceId ns, const std::string& request_id) {
  return FindKey(NamespacedKey(ns, request_id));
}

RequestEntry* RequestIds::FindKey(const std::string& key) {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second.get();
}

RequestEntry& RequestIds::Add(NamespaceId ns, const std::string& request_id) {
  std::string key = NamespacedKey(ns, request_id);
  std::unique_ptr<RequestEntry>& entry = entries_[key];
  MUSTER_CHECK(!entry) << "a request id was added twice";
  entry = std::make_unique<RequestEntry>(ns, request_id, std::move(key));
  return *entry;
}

void RequestIds::Erase(RequestEntry& entry) { entries_.erase(std::string(entry.key)); }

}  // namespace muster::core
