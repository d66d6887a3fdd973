// The namespaces in use: their names, and what each holds.
//
// A namespace is made on first use and stays; how many there may be is bounded. With a store its number is that of the
// row that its name was written into first: numbers follow each other, a row is never taken twice, and who finds the
// next one taken learns of that name and tries the one behind it. So two servers on one store never give one number to
// two names, or two numbers to one name.
//
// Threading: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

#include "service/base/mutex.h"
#include "service/values/id.h"

namespace muster::runtime {

class Namespaces {
 public:
  explicit Namespaces(uint32_t max);

  // "" is "default". INVALID_FIELD unless 1 to 63 characters of a-z, 0-9 and '-', not beginning or ending with '-';
  // TOO_MANY_NAMESPACES.
  absl::StatusOr<values::Namespace> Open(std::string_view name);
  // Takes the row of a number for a name unless it is taken, and gives the name that has it from now on. Called under
  // the lock, before anybody knows of the namespace. None: nothing survives, and there is nobody else.
  using Claim = std::function<absl::StatusOr<std::string>(values::NamespaceId, const std::string& name)>;
  void ClaimBy(Claim claim) { claim_ = std::move(claim); }
  // One of an earlier run. In any order, before the first Open. False when it contradicts another.
  bool Restore(values::NamespaceId id, std::string_view name);
  bool Has(values::NamespaceId id) const {
    return id != 0 && id <= entries_.size() && entries_[id - 1].load(std::memory_order_acquire) != nullptr;
  }
  // Of all that are there.
  std::vector<values::Namespace> All() const;
  // Good as long as this is.
  const std::string& Name(values::NamespaceId id) const { return At(id).name; }
  uint64_t size() const;

  void AddBytes(values::NamespaceId id, int64_t bytes);
  int64_t BytesHeld(values::NamespaceId id) const;
  int64_t BytesHeldByAll() const;

 private:
  struct Entry {
    explicit Entry(std::string_view n) : name(n) {}
    const std::string name;
    std::atomic<int64_t> bytes{0};  // a plain sum: each loop adds its own changes
  };
  absl::Status CheckRoom(const std::string& name) const MUSTER_REQUIRES(mutex_);
  void Add(values::NamespaceId id, const std::string& name) MUSTER_REQUIRES(mutex_);
  // Only before the first Open.
  void Grow(size_t size) MUSTER_REQUIRES(mutex_);
  Entry& At(values::NamespaceId id) const { return *entries_[id - 1].load(std::memory_order_acquire); }

  const uint32_t max_;
  Claim claim_;  // constant once loops run
  mutable base::Mutex mutex_;
  absl::flat_hash_map<std::string, values::NamespaceId> by_name_ MUSTER_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Entry>> owned_ MUSTER_GUARDED_BY(mutex_);
  values::NamespaceId last_ MUSTER_GUARDED_BY(mutex_) = 0;  // the highest id that is or was in use
  // The same without the lock, for the accounts: stored (release) once by Open before the id is known to anyone.
  std::vector<std::atomic<Entry*>> entries_;
};

}  // namespace muster::runtime
