#include "service/core/futures/request_ids.h"

#include "service/base/check.h"

namespace muster::core {

RequestEntry* RequestIds::Find(NamespaceId ns, std::string_view request_id) {
  const auto found = entries_.find(Key(ns, request_id));
  return found == entries_.end() ? nullptr : found->entry.get();
}

RequestEntry& RequestIds::Add(NamespaceId ns, std::string_view request_id) {
  bool is_new = false;
  const Key key(ns, request_id);
  const auto at = entries_.lazy_emplace(key, [&](const auto& construct) {
    is_new = true;
    construct(Slot{key.hash, std::make_unique<RequestEntry>(ns, request_id)});
  });
  MUSTER_CHECK(is_new) << "a request id was added twice";
  return *at->entry;
}

void RequestIds::Erase(RequestEntry& entry) { entries_.erase(Key(entry.ns, entry.request_id)); }

}  // namespace muster::core
