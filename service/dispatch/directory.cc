#include "service/dispatch/directory.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "fmt/format.h"

#include "service/base/nearest.h"
#include "service/base/status.h"

namespace muster::dispatch {
namespace {

constexpr size_t kFirstNames = 64;
constexpr size_t kResemblingDistanceMax = 3;
constexpr size_t kResemblingNameMax = 128;

size_t HashOf(std::string_view name) { return std::hash<std::string_view>()(name); }

}  // namespace

Directory::Directory() {
  base::MutexLock lock(mutex_);
  owned_names_.push_back(std::make_unique<Names>(kFirstNames));
  names_.store(owned_names_.back().get(), std::memory_order_release);
}

Directory::~Directory() = default;

absl::Status Directory::Know(values::FunctionId number, const std::string& name, values::FunctionKind kind) {
  base::MutexLock lock(mutex_);
  return KnowLocked(number, name, kind);
}

absl::Status Directory::KnowLocked(values::FunctionId number, const std::string& name, values::FunctionKind kind) {
  if (number >= kFunctionsMax) {
    return absl::OutOfRangeError(
        fmt::format("function \"{}\" would have number {}; there are {} numbers", name, number, kFunctionsMax));
  }
  if (const Function* same = FindKnown(name)) {
    return absl::AlreadyExistsError(
        fmt::format("function \"{}\" has number {} and can't have {} too", name, same->id, number));
  }
  std::atomic<Chunk*>& chunk = chunks_[number / kChunk];
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    owned_chunks_.push_back(std::make_unique<Chunk>());
    chunk.store(owned_chunks_.back().get(), std::memory_order_release);
  }
  Function& function = Entry(number);
  if (function.known_.load(std::memory_order_relaxed)) {
    return absl::AlreadyExistsError(
        fmt::format("number {} is function \"{}\" and can't be \"{}\" too", number, function.name, name));
  }
  function.id = number;
  function.kind = kind;
  function.name = name;
  function.known_.store(true, std::memory_order_release);
  known_.push_back(&function);
  AddName(function);
  return absl::OkStatus();
}

void Directory::AddName(const Function& function) {
  const auto put = [](Names& names, const Function& added) {
    const size_t mask = names.slots.size() - 1;
    size_t at = HashOf(added.name) & mask;
    while (names.slots[at].load(std::memory_order_relaxed) != nullptr) at = (at + 1) & mask;
    names.slots[at].store(&added, std::memory_order_release);
  };
  Names& names = *owned_names_.back();
  if (known_.size() * 2 <= names.slots.size()) return put(names, function);
  auto larger = std::make_unique<Names>(names.slots.size() * 2);
  for (const Function* each : known_) put(*larger, *each);
  names_.store(larger.get(), std::memory_order_release);
  owned_names_.push_back(std::move(larger));
}

absl::Status Directory::Serve(const jobs::Function& definition) {
  base::MutexLock lock(mutex_);
  return ServeLocked(definition);
}

absl::Status Directory::ServeLocked(const jobs::Function& definition) {
  const Function* known = FindKnown(definition.name);
  if (known == nullptr) return absl::NotFoundError(fmt::format("no function \"{}\" is known", definition.name));
  if (known->kind != definition.kind) {
    return absl::FailedPreconditionError(fmt::format(
        "function \"{}\" is known as another kind than it is served as: restart the server with it", known->name));
  }
  Entry(known->id).definition_.store(&definition, std::memory_order_release);
  Tell(*known);
  return absl::OkStatus();
}

void Directory::Withdraw(std::string_view name) {
  base::MutexLock lock(mutex_);
  const Function* known = FindKnown(name);
  if (known == nullptr) return;
  Entry(known->id).definition_.store(nullptr, std::memory_order_release);
  Tell(*known);
}

absl::Status Directory::ServeAll(const jobs::Registry& registry) {
  base::MutexLock lock(mutex_);
  for (const auto& each : registry.functions()) {
    MUSTER_RETURN_IF_ERROR(KnowLocked(static_cast<values::FunctionId>(known_.size()), each->name, each->kind));
    MUSTER_RETURN_IF_ERROR(ServeLocked(*each));
  }
  return absl::OkStatus();
}

Function& Directory::Entry(values::FunctionId id) {
  return (*chunks_[id / kChunk].load(std::memory_order_relaxed))[id % kChunk];
}

void Directory::Tell(const Function& function) {
  for (Listener* listener : listeners_) listener->OnServedChanged(function);
}

const Function* Directory::FindKnown(std::string_view name) const {
  const Names& names = *names_.load(std::memory_order_acquire);
  const size_t mask = names.slots.size() - 1;
  for (size_t at = HashOf(name) & mask;; at = (at + 1) & mask) {
    const Function* function = names.slots[at].load(std::memory_order_acquire);
    if (function == nullptr || function->name == name) return function;
  }
}

const Function* Directory::Find(std::string_view name) const {
  const Function* function = FindKnown(name);
  return function != nullptr && fail_unserved_ && !function->served() ? nullptr : function;
}

bool Directory::Knows(values::FunctionId id) const {
  if (id >= kFunctionsMax) return false;
  const Chunk* chunk = chunks_[id / kChunk].load(std::memory_order_acquire);
  return chunk != nullptr && (*chunk)[id % kChunk].known_.load(std::memory_order_acquire);
}

std::vector<const Function*> Directory::Known() const {
  base::MutexLock lock(mutex_);
  std::vector<const Function*> known = known_;
  std::sort(known.begin(), known.end(), [](const Function* a, const Function* b) { return a->id < b->id; });
  return known;
}

std::vector<const jobs::Function*> Directory::Sorted() const {
  std::vector<const jobs::Function*> sorted;
  for (const Function* function : Known()) {
    if (const jobs::Function* definition = function->definition()) sorted.push_back(definition);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const jobs::Function* a, const jobs::Function* b) { return a->name < b->name; });
  return sorted;
}

std::vector<std::string> Directory::Resembling(std::string_view name, size_t max) const {
  // A hostile name must not cost more than a real one could.
  const std::string_view bounded = name.substr(0, kResemblingNameMax);
  std::vector<std::pair<size_t, std::string>> near;
  for (const Function* function : Known()) {
    if (!function->served()) continue;
    const size_t distance = base::EditDistance(bounded, function->name);
    const bool shares_prefix = !bounded.empty() && function->name.compare(0, bounded.size(), bounded) == 0;
    if (distance <= kResemblingDistanceMax || shares_prefix) near.emplace_back(distance, function->name);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (size_t i = 0; i < near.size() && i < max; ++i) names.push_back(std::move(near[i].second));
  return names;
}

void Directory::Listen(Listener& listener) {
  base::MutexLock lock(mutex_);
  listeners_.push_back(&listener);
}

void Directory::Unlisten(Listener& listener) {
  base::MutexLock lock(mutex_);
  std::erase(listeners_, &listener);
}

}  // namespace muster::dispatch
