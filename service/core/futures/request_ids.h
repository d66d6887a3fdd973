// What makes a submit repeatable (semantics 102): for a request id, the future it made and the hash of what was asked.
//
// An entry lives as long as its future and a window beyond, so that a repetition which comes late is told that the
// future has expired instead of running the job a second time.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"

#include "service/base/block_pool.h"
#include "service/base/intrusive_list.h"
#include "service/core/door/effect.h"
#include "service/core/futures/timer.h"
#include "service/values/text.h"

namespace muster::core {

struct Future;

// Its timer is the window.
struct RequestEntry : ShardTimer, base::Pooled {
  RequestEntry(NamespaceId n, std::string_view id) : ShardTimer(Of::kRequest), ns(n), request_id(id) {}

  const NamespaceId ns;
  const values::Text request_id;
  base::ListHook hook;       // among the entries of `future`
  Future* future = nullptr;  // null once it is gone: the window runs
  FutureId id;
  // For a shield of a future that was done and lives elsewhere (semantics 55): what to answer, as it is not held here.
  std::unique_ptr<const Completion> elsewhere;
  uint64_t spec_hash = 0;
  base::Duration window{0};
  bool stored = false;  // it has a row of its own
};

class RequestIds {
 public:
  // Null when the request id is not known.
  RequestEntry* Find(NamespaceId ns, std::string_view request_id);
  // The request id must not be known.
  RequestEntry& Add(NamespaceId ns, std::string_view request_id);
  // The entry's timer must not be armed.
  void Erase(RequestEntry& entry);
  size_t size() const { return entries_.size(); }

 private:
  // Entries are found by what they hold, so that no text is kept twice. Their hashes lie beside them: neither to grow
  // the set nor to pass by another entry does it read what lies elsewhere in memory.
  struct Slot {
    size_t hash;
    std::unique_ptr<RequestEntry> entry;
  };
  struct Key {
    Key(NamespaceId n, std::string_view id) : ns(n), request_id(id), hash(absl::HashOf(n, id)) {}
    NamespaceId ns;
    std::string_view request_id;
    size_t hash;
  };
  struct Hash {
    using is_transparent = void;
    template <typename T>
    size_t operator()(const T& of) const {
      return of.hash;
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Slot& a, const Key& b) const {
      return a.hash == b.hash && a.entry->ns == b.ns && a.entry->request_id == b.request_id;
    }
    bool operator()(const Slot& a, const Slot& b) const { return a.entry == b.entry; }
  };

  absl::flat_hash_set<Slot, Hash, Equal> entries_;
};

}  // namespace muster::core
