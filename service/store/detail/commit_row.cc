#include "service/store/detail/commit_row.h"

namespace muster::store::detail {

std::string_view StoredKey(std::string_view key, std::string& scratch) {
  if (key.empty() || key.front() != '\0') return key;
  scratch.assign("\0\1", 2);
  scratch.append(key.substr(1));
  return scratch;
}

std::string_view UserKey(std::string_view stored, std::string& scratch) {
  if (stored.empty() || stored.front() != '\0') return stored;
  scratch.assign(1, '\0');
  scratch.append(stored.substr(2));
  return scratch;
}

std::optional<std::string> PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (end.empty()) return std::nullopt;
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

std::string EncodeNumber(uint64_t number, size_t bytes) {
  std::string text(bytes, '\0');
  for (char& byte : text) {
    byte = static_cast<char>(number & 0xff);
    number >>= 8;
  }
  return text;
}

std::optional<uint64_t> DecodeNumber(std::string_view text, size_t bytes) {
  if (text.size() != bytes) return std::nullopt;
  uint64_t number = 0;
  for (size_t i = bytes; i-- > 0;) number = number << 8 | static_cast<unsigned char>(text[i]);
  return number;
}

}  // namespace muster::store::detail
