#include "service/values/text.h"

#include <cstring>

#include "service/base/block_pool.h"

namespace muster::values {
namespace {

// Within a block.
constexpr size_t kHeader = sizeof(size_t);

size_t SizeOf(const char* block) {
  size_t size = 0;
  std::memcpy(&size, block, kHeader);
  return size;
}

}  // namespace

std::string_view Text::view() const {
  return block_ == nullptr ? std::string_view() : std::string_view(block_ + kHeader, SizeOf(block_));
}

char* Text::Copy(std::string_view text) {
  if (text.empty()) return nullptr;
  const size_t size = text.size();
  char* block = static_cast<char*>(base::BlockPool::Allocate(kHeader + size));
  std::memcpy(block, &size, kHeader);
  std::memcpy(block + kHeader, text.data(), size);
  return block;
}

void Text::Free(char* block) noexcept {
  if (block != nullptr) base::BlockPool::Free(block, kHeader + SizeOf(block));
}

}  // namespace muster::values
