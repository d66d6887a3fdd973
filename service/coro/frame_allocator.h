// Memory of coroutine frames: a free list for each thread and size class, so that a task costs no malloc.
//
// Threading: any thread; a block may be freed on another thread than the one that took it, and stays there. A thread
// keeps at most kBytesPerClassMax free bytes a class; the rest, and everything at the thread's end, goes back.
// Under AddressSanitizer there are no lists, or it could not see a frame that is used after its end.
#pragma once

#include <cstddef>

namespace muster::coro {

class FrameAllocator {
 public:
  static constexpr std::size_t kClassBytes = 64;
  static constexpr std::size_t kClassCount = 32;  // frames above 2 KiB go to operator new
  static constexpr std::size_t kBytesPerClassMax = 4 << 20;

  static void* Allocate(std::size_t size);
  static void Free(void* block, std::size_t size) noexcept;

  // False under AddressSanitizer.
  static bool KeepsLists();
  // Blocks that this thread ever took from operator new: tests tell by it that steady state allocates nothing.
  static std::size_t ThreadMisses();
};

}  // namespace muster::coro
