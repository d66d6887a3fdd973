// Memory of what comes and goes with every job (coroutine frames, runs, payloads): a free list for each thread and size
// class, so that it costs no malloc.
//
// Threading: any thread; a block may be freed on another thread than the one that took it, and stays there. A thread
// keeps at most kBytesPerClassMax free bytes a class; the rest, and everything at the thread's end, goes back.
// Under AddressSanitizer there are no lists, or it could not see what is used after its end.
#pragma once

#include <cstddef>

namespace muster::base {

class BlockPool {
 public:
  // Blocks are 8, 24, 40 ... bytes: what malloc has room for in its chunks of 16 bytes, with a header of 8.
  static constexpr std::size_t kClassBytes = 16;
  static constexpr std::size_t kHeaderBytes = 8;
  static constexpr std::size_t kClassCount = 128;  // blocks above 2 KiB go to operator new
  static constexpr std::size_t kBytesPerClassMax = 1 << 20;

  static void* Allocate(std::size_t size);
  static void Free(void* block, std::size_t size) noexcept;

  // False under AddressSanitizer.
  static bool KeepsLists();
  // Blocks that this thread ever took from operator new: tests tell by it that steady state allocates nothing.
  static std::size_t ThreadMisses();
};

// To derive from: new and delete go to the pool.
struct Pooled {
  static void* operator new(std::size_t size) { return BlockPool::Allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { BlockPool::Free(block, size); }
};

// For std::allocate_shared.
template <typename T>
struct PoolAllocator {
  static_assert(alignof(T) <= alignof(std::max_align_t));
  using value_type = T;

  PoolAllocator() = default;
  template <typename U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT(google-explicit-constructor): what an allocator must have

  T* allocate(std::size_t count) { return static_cast<T*>(BlockPool::Allocate(count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) noexcept { BlockPool::Free(block, count * sizeof(T)); }
  friend bool operator==(const PoolAllocator&, const PoolAllocator&) { return true; }
};

}  // namespace muster::base
