#include "service/runtime/admission/namespaces.h"

#include <algorithm>

#include "fmt/format.h"

#include "service/base/reason.h"
#include "service/base/status.h"
#include "service/values/bounds.h"

namespace muster::runtime {
namespace {

constexpr values::NamespaceId kStoredMax = 10'000'000;

bool IsName(std::string_view name) {
  if (name.empty() || name.size() > values::kNamespaceNameMax || name.front() == '-' || name.back() == '-')
    return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace

Namespaces::Namespaces(uint32_t max) : max_(max), entries_(max) {}

absl::StatusOr<values::Namespace> Namespaces::Open(std::string_view asked) {
  const std::string name(asked.empty() ? "default" : asked);
  base::MutexLock lock(mutex_);
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return values::Namespace{found->second, values::NamespaceTag(name)};
  if (!IsName(name)) {
    return base::Refuse(base::Reason::kInvalidField,
                        fmt::format("namespace \"{}\": must be 1 to {} characters of a-z, 0-9 and '-', with no '-' at "
                                    "either end",
                                    name.substr(0, values::kNamespaceNameMax + 1), values::kNamespaceNameMax),
                        "namespace");
  }
  for (;;) {
    MUSTER_RETURN_IF_ERROR(CheckRoom(name));
    const values::NamespaceId id = last_ + 1;  // from 1: 0 is no namespace
    std::string owner = name;
    if (claim_) {
      MUSTER_ASSIGN_OR_RETURN(owner, claim_(id, name));
    }
    if (by_name_.contains(owner)) {
      return absl::DataLossError(fmt::format("the store has namespace \"{}\" by two numbers", owner));
    }
    Add(id, owner);
    if (owner == name) return values::Namespace{id, values::NamespaceTag(name)};
  }
}

absl::Status Namespaces::CheckRoom(const std::string& name) const {
  if (owned_.size() < max_) return absl::OkStatus();
  return base::Refuse(base::Reason::kTooManyNamespaces,
                      fmt::format("namespace \"{}\" would be one more than the {} this server allows: use one that "
                                  "exists, or raise limits.namespaces_max",
                                  name, max_),
                      "namespace");
}

void Namespaces::Add(values::NamespaceId id, const std::string& name) {
  owned_.push_back(std::make_unique<Entry>(name));
  entries_[id - 1].store(owned_.back().get(), std::memory_order_release);
  by_name_.emplace(name, id);
  last_ = std::max(last_, id);
}

bool Namespaces::Restore(values::NamespaceId id, std::string_view name) {
  base::MutexLock lock(mutex_);
  if (id == 0 || id > kStoredMax || !IsName(name) || by_name_.contains(std::string(name))) return false;
  if (entries_.size() < id) Grow(id);
  if (entries_[id - 1].load(std::memory_order_relaxed) != nullptr) return false;
  Add(id, std::string(name));
  // As many more as there may be can follow the last one.
  if (entries_.size() < size_t{last_} + max_) Grow(size_t{last_} + max_);
  return true;
}

void Namespaces::Grow(size_t size) {
  std::vector<std::atomic<Entry*>> larger(size);
  for (size_t at = 0; at < entries_.size(); ++at) {
    larger[at].store(entries_[at].load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  entries_.swap(larger);
}

std::vector<values::Namespace> Namespaces::All() const {
  base::MutexLock lock(mutex_);
  std::vector<values::Namespace> all;
  all.reserve(by_name_.size());
  for (const auto& [name, id] : by_name_) all.push_back({id, values::NamespaceTag(name)});
  return all;
}

uint64_t Namespaces::size() const {
  base::MutexLock lock(mutex_);
  return owned_.size();
}

void Namespaces::AddBytes(values::NamespaceId id, int64_t bytes) {
  if (bytes == 0) return;
  At(id).bytes.fetch_add(bytes, std::memory_order_relaxed);
}

int64_t Namespaces::BytesHeldByAll() const {
  base::MutexLock lock(mutex_);
  int64_t bytes = 0;
  for (const auto& entry : owned_) bytes += entry->bytes.load(std::memory_order_relaxed);
  return bytes;
}

int64_t Namespaces::BytesHeld(values::NamespaceId id) const { return At(id).bytes.load(std::memory_order_relaxed); }

}  // namespace muster::runtime
