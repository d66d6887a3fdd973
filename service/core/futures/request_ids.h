// What makes a submit repeatable (semantics 102): for a request id, the future it made and the hash of what was asked.
//
// An entry lives as long as its future and a window beyond, so that a repetition which comes late is told that the
// future has expired instead of running the job a second time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"

#include "service/base/block_pool.h"
#include "service/base/intrusive_list.h"
#include "service/core/door/effect.h"
#include "service/core/futures/timer.h"

namespace muster::core {

struct Future;

// Its timer is the window.
struct RequestEntry : ShardTimer, base::Pooled {
  RequestEntry(NamespaceId n, std::string id) : ShardTimer(Of::kRequest), ns(n), request_id(std::move(id)) {}

  const NamespaceId ns;
  const std::string request_id;
  base::ListHook hook;       // among the entries of `future`
  Future* future = nullptr;  // null once it is gone: the window runs
  FutureId id;
  // For a shield of a future that was done and lives elsewhere (semantics 55): what to answer, as it is not held here.
  std::optional<Completion> elsewhere;
  uint64_t spec_hash = 0;
  base::Duration window{0};
  bool stored = false;  // it has a row of its own
};

class RequestIds {
 public:
  // Null when the request id is not known.
  RequestEntry* Find(NamespaceId ns, std::string_view request_id);
  // The request id must not be known.
  RequestEntry& Add(NamespaceId ns, const std::string& request_id);
  // The entry's timer must not be armed.
  void Erase(RequestEntry& entry);
  size_t size() const { return entries_.size(); }

 private:
  // Entries are found by what they hold, so that no text is kept twice.
  using Key = std::pair<NamespaceId, std::string_view>;
  static Key KeyOf(const Key& key) { return key; }
  static Key KeyOf(const std::unique_ptr<RequestEntry>& entry) { return {entry->ns, entry->request_id}; }
  struct Hash {
    using is_transparent = void;
    template <typename T>
    size_t operator()(const T& of) const {
      return absl::Hash<Key>()(KeyOf(of));
    }
  };
  struct Equal {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOf(a) == KeyOf(b);
    }
  };

  absl::flat_hash_set<std::unique_ptr<RequestEntry>, Hash, Equal> entries_;
};

}  // namespace muster::core
