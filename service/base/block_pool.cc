#include "service/base/block_pool.h"

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define MUSTER_FRAME_LISTS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MUSTER_FRAME_LISTS 0
#endif
#endif
#ifndef MUSTER_FRAME_LISTS
#define MUSTER_FRAME_LISTS 1
#endif

namespace muster::base {
namespace {

struct FreeBlock {
  FreeBlock* next;
};

// Trivial, so that the hot path tests no guard; FreeAtExit below empties it.
struct Lists {
  FreeBlock* first[BlockPool::kClassCount];
  std::uint32_t count[BlockPool::kClassCount];
  std::size_t misses;
  bool exit_hooked;
  bool closed;  // the thread is ending: whatever is freed from now on goes straight back
};
constinit thread_local Lists lists = {};

struct FreeAtExit {
  ~FreeAtExit() {
    lists.closed = true;
    for (std::size_t i = 0; i < BlockPool::kClassCount; ++i) {
      while (lists.first[i] != nullptr) {
        FreeBlock* block = lists.first[i];
        lists.first[i] = block->next;
        ::operator delete(block);
      }
    }
  }
};

constexpr std::size_t ClassOf(std::size_t size) {
  return (size + BlockPool::kHeaderBytes - 1) / BlockPool::kClassBytes;
}
constexpr std::size_t BlockBytes(std::size_t size_class) {
  return size_class * BlockPool::kClassBytes + BlockPool::kHeaderBytes;
}
static_assert(BlockBytes(0) >= sizeof(FreeBlock));
static_assert(ClassOf(24) == 1 && ClassOf(25) == 2 && BlockBytes(2) == 40);

[[gnu::noinline]] void HookExit() {
  thread_local FreeAtExit at_exit;
  static_cast<void>(at_exit);
  lists.exit_hooked = true;
}

[[gnu::noinline]] void* AllocateSlow(std::size_t size, std::size_t size_class) {
  ++lists.misses;
  return ::operator new(size_class < BlockPool::kClassCount ? BlockBytes(size_class) : size);
}

}  // namespace

void* BlockPool::Allocate(std::size_t size) {
  const std::size_t size_class = ClassOf(size);
  if (MUSTER_FRAME_LISTS && size_class < kClassCount) {
    if (FreeBlock* block = lists.first[size_class]; block != nullptr) {
      lists.first[size_class] = block->next;
      --lists.count[size_class];
      return block;
    }
  }
  return AllocateSlow(size, size_class);
}

void BlockPool::Free(void* block, std::size_t size) noexcept {
  const std::size_t size_class = ClassOf(size);
  if (!MUSTER_FRAME_LISTS || size_class >= kClassCount || lists.closed ||
      lists.count[size_class] >= kBytesPerClassMax / BlockBytes(size_class)) {
    ::operator delete(block);
    return;
  }
  if (!lists.exit_hooked) HookExit();
  lists.first[size_class] = ::new (block) FreeBlock{lists.first[size_class]};
  ++lists.count[size_class];
}

bool BlockPool::KeepsLists() { return MUSTER_FRAME_LISTS; }
std::size_t BlockPool::ThreadMisses() { return lists.misses; }

}  // namespace muster::base
