#include <cstring>
#include <limits>

#include "service/base/check.h"
#include "service/store/journal.h"

namespace muster::store {
namespace {

// Before each key: its size, and the value's or kDeleted, as the machine writes them; a batch never leaves the process.
constexpr uint32_t kDeleted = std::numeric_limits<uint32_t>::max();

void AppendSize(std::string& buffer, size_t size) {
  MUSTER_CHECK_LT(size, static_cast<size_t>(kDeleted)) << "a row of 4 GiB";
  const auto fixed = static_cast<uint32_t>(size);
  char bytes[sizeof(fixed)];
  std::memcpy(bytes, &fixed, sizeof(fixed));
  buffer.append(bytes, sizeof(bytes));
}

uint32_t TakeSize(std::string_view& rest) {
  uint32_t size = 0;
  std::memcpy(&size, rest.data(), sizeof(size));
  rest.remove_prefix(sizeof(size));
  return size;
}

}  // namespace

void Batch::Put(std::string_view key, std::string_view value) {
  AppendSize(buffer_, key.size());
  AppendSize(buffer_, value.size());
  buffer_.append(key);
  buffer_.append(value);
  ++rows_;
}

void Batch::Delete(std::string_view key) {
  AppendSize(buffer_, key.size());
  buffer_.append(reinterpret_cast<const char*>(&kDeleted), sizeof(kDeleted));
  buffer_.append(key);
  ++rows_;
}

void Batch::Clear() {
  buffer_.clear();
  rows_ = 0;
}

void Batch::ForEach(
    const std::function<void(std::string_view key, std::optional<std::string_view> value)>& visit) const {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const uint32_t key_size = TakeSize(rest);
    const uint32_t value_size = TakeSize(rest);
    const std::string_view key = rest.substr(0, key_size);
    rest.remove_prefix(key_size);
    if (value_size == kDeleted) {
      visit(key, std::nullopt);
    } else {
      visit(key, rest.substr(0, value_size));
      rest.remove_prefix(value_size);
    }
  }
}

}  // namespace muster::store
