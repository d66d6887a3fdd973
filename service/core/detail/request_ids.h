// What makes a submit repeatable (semantics 102): for a request id, the future it made and the hash of what was asked.
//
// An entry lives as long as its future and a window beyond, so that a repetition which comes late is told that the
// future has expired instead of running the job a second time.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"

#include "service/base/intrusive_list.h"
#include "service/core/detail/timer.h"
#include "service/core/effect.h"

namespace muster::core {

struct Future;

struct RequestEntry {
  RequestEntry(NamespaceId n, std::string id, std::string k)
      : ns(n), request_id(std::move(id)), key(std::move(k)), timer(ShardTimer::Of::kRequest, this) {}

  const NamespaceId ns;
  const std::string request_id;
  const std::string key;
  base::ListHook hook;       // among the entries of `future`
  Future* future = nullptr;  // null once it is gone: the window runs
  FutureId id;
  // For a shield of a future that was done and lives elsewhere (semantics 55): what to answer, as it is not held here.
  std::optional<Completion> elsewhere;
  uint64_t spec_hash = 0;
  base::Duration window{0};
  bool stored = false;  // it has a row of its own
  ShardTimer timer;
};

class RequestIds {
 public:
  // Null when the request id is not known.
  RequestEntry* Find(NamespaceId ns, const std::string& request_id);
  // The request id must not be known.
  RequestEntry& Add(NamespaceId ns, const std::string& request_id);
  // The entry's timer must not be armed.
  void Erase(RequestEntry& entry);
  size_t size() const { return entries_.size(); }
  // By the key of an entry.
  RequestEntry* FindKey(const std::string& key);

 private:
  absl::flat_hash_map<std::string, std::unique_ptr<RequestEntry>> entries_;
};

}  // namespace muster::core
