// A slab: objects at stable addresses, named by a dense 32-bit index, freed slots used again last in, first out.
//
// Finding an object by its index is two array accesses. Whether an index still means the same object is the caller's
// to know: keep a generation or a sequence in T or beside it.
//
// Threading: none of its own. Lifetime: the slab destroys what is still in it; memory goes back only with the slab.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "service/base/check.h"

namespace muster::base {

template <typename T, std::size_t kChunkSize = 1024>
class Slab {
  static_assert(kChunkSize > 0 && (kChunkSize & (kChunkSize - 1)) == 0, "a power of two");

 public:
  using Index = std::uint32_t;
  static constexpr Index kNone = 0xffffffff;

  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    for (Index index = 0; index < used_; ++index) {
      if (Contains(index)) SlotAt(index).object()->~T();
    }
  }

  template <typename... Args>
  Index Emplace(Args&&... args) {
    const Index index = free_ != kNone ? free_ : Grow();
    Slot& slot = SlotAt(index);
    const Index next_free = slot.next_free;  // read before T's constructor, which may emplace in turn, runs
    free_ = next_free;
    ::new (static_cast<void*>(slot.bytes)) T(std::forward<Args>(args)...);
    slot.live = true;
    ++size_;
    return index;
  }

  // For a slab that is being restored: the object gets the very index that it had. `index` must be free. Until
  // FinishPlacing is called, only PlaceAt may add.
  template <typename... Args>
  T& PlaceAt(Index index, Args&&... args) {
    MUSTER_CHECK(!Contains(index)) << "the slot is taken: " << index;
    MUSTER_CHECK_LT(index, kNone) << "the slab is full";
    while (used_ <= index) {
      if (used_ % kChunkSize == 0) chunks_.push_back(nullptr);
      // A chunk that nothing lies in is skipped, and made when it is needed.
      used_ += static_cast<Index>(kChunkSize) - used_ % static_cast<Index>(kChunkSize);
    }
    std::unique_ptr<Slot[]>& chunk = chunks_[index / kChunkSize];
    if (chunk == nullptr) chunk.reset(new Slot[kChunkSize]);
    Slot& slot = SlotAt(index);
    ::new (static_cast<void*>(slot.bytes)) T(std::forward<Args>(args)...);
    slot.live = true;
    ++size_;
    return *slot.object();
  }
  // The holes between what was placed are free from now on, lower ones first.
  void FinishPlacing() {
    free_ = kNone;
    for (std::size_t chunk = chunks_.size(); chunk-- > 0;) {
      if (chunks_[chunk] == nullptr) {
        empty_chunks_.push_back(chunk);
        continue;
      }
      for (Index at = kChunkSize; at-- > 0;) {
        Slot& slot = chunks_[chunk][at];
        if (slot.live) continue;
        slot.next_free = free_;
        free_ = static_cast<Index>(chunk * kChunkSize) + at;
      }
    }
  }

  // `index` must be live.
  void Erase(Index index) {
    MUSTER_CHECK(Contains(index)) << "no such slot: " << index;
    Slot& slot = SlotAt(index);
    slot.live = false;
    --size_;
    slot.object()->~T();
    slot.next_free = free_;
    free_ = index;
  }

  bool Contains(Index index) const {
    return index < used_ && chunks_[index / kChunkSize] != nullptr && SlotAt(index).live;
  }
  // Null when the slot is free or was never used: an index from outside may be tried safely.
  T* Find(Index index) { return Contains(index) ? SlotAt(index).object() : nullptr; }
  const T* Find(Index index) const { return Contains(index) ? SlotAt(index).object() : nullptr; }
  // `index` must be live.
  T& operator[](Index index) {
    MUSTER_DCHECK(Contains(index));
    return *SlotAt(index).object();
  }
  const T& operator[](Index index) const {
    MUSTER_DCHECK(Contains(index));
    return *SlotAt(index).object();
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Indexes ever used are 0 .. high_water() - 1: with Find, a way to visit everything.
  Index high_water() const { return used_; }

 private:
  struct Slot {
    T* object() { return std::launder(reinterpret_cast<T*>(bytes)); }
    const T* object() const { return std::launder(reinterpret_cast<const T*>(bytes)); }

    alignas(T) std::byte bytes[sizeof(T)];
    Index next_free = kNone;
    bool live = false;
  };

  Slot& SlotAt(Index index) { return chunks_[index / kChunkSize][index % kChunkSize]; }
  const Slot& SlotAt(Index index) const { return chunks_[index / kChunkSize][index % kChunkSize]; }

  Index Grow() {
    if (!empty_chunks_.empty()) return FillChunk();
    MUSTER_CHECK_LT(used_, kNone) << "the slab is full";
    if (used_ == chunks_.size() * kChunkSize) chunks_.push_back(std::unique_ptr<Slot[]>(new Slot[kChunkSize]));
    return used_++;
  }

  // A chunk that PlaceAt skipped: its first slot is taken, the others are free.
  Index FillChunk() {
    const std::size_t chunk = empty_chunks_.back();
    empty_chunks_.pop_back();
    chunks_[chunk].reset(new Slot[kChunkSize]);
    const Index first = static_cast<Index>(chunk * kChunkSize);
    for (Index at = kChunkSize; at-- > 1;) {
      chunks_[chunk][at].next_free = free_;
      free_ = first + at;
    }
    chunks_[chunk][0].next_free = free_;  // Emplace goes on from there
    return first;
  }

  std::vector<std::unique_ptr<Slot[]>> chunks_;
  std::vector<std::size_t> empty_chunks_;  // highest first
  Index used_ = 0;
  Index free_ = kNone;
  std::size_t size_ = 0;
};

}  // namespace muster::base
