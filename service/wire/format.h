// The protobuf wire format, as far as our codecs write and read it by hand: fields of numbers and of bytes, whose
// numbers are below 16 (https://protobuf.dev/programming-guides/encoding/).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "service/values/id.h"

namespace muster::wire {

// The first byte of a field of either kind; all of ours have numbers below 16.
constexpr uint8_t VarintField(int number) { return static_cast<uint8_t>(number << 3); }
constexpr uint8_t BytesField(int number) { return static_cast<uint8_t>(number << 3 | 2); }

// --- Reading --------------------------------------------------------------------------------------------------------

// Walks over the fields of a message. It gives up (false) on all that is malformed, and on encodings that no usual
// writer makes: whoever uses it asks protobuf then.
class FieldCursor {
 public:
  explicit FieldCursor(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool AtEnd() const { return at_ == end_; }
  uint8_t Byte() { return static_cast<uint8_t>(*at_++); }
  bool Varint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const uint8_t byte = Byte();
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return shift < 63 || byte <= 1;
    }
    return false;
  }
  bool Bytes(std::string_view& bytes) {
    size_t length = 0;
    if (!Length(length) || length > static_cast<size_t>(end_ - at_)) return false;
    bytes = std::string_view(at_, length);
    at_ += length;
    return true;
  }

 private:
  // Of four bytes at most: protobuf, too, takes fewer bytes for a length than for a number.
  bool Length(size_t& length) {
    length = 0;
    for (int shift = 0; shift < 28 && at_ != end_; shift += 7) {
      const uint8_t byte = Byte();
      length |= size_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  const char* at_;
  const char* const end_;
};

// --- Writing --------------------------------------------------------------------------------------------------------

constexpr size_t VarintSize(uint64_t value) { return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7; }

// A field with a length, from its tag to its end.
constexpr size_t FieldSize(size_t bytes) { return 1 + VarintSize(bytes) + bytes; }
// A number, which is left out at its default.
constexpr size_t NumberSize(uint64_t value) { return value == 0 ? 0 : 1 + VarintSize(value); }

inline char* PutVarint(uint64_t value, char* at) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}

inline char* PutNumber(int field, uint64_t value, char* at) {
  if (value == 0) return at;
  *at++ = static_cast<char>(VarintField(field));
  return PutVarint(value, at);
}

// What follows is the field's content.
inline char* PutLength(int field, size_t length, char* at) {
  *at++ = static_cast<char>(BytesField(field));
  return PutVarint(length, at);
}

inline char* PutBytes(int field, std::string_view bytes, char* at) {
  at = PutLength(field, bytes.size(), at);
  std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

inline char* PutId(int field, const values::FutureId& id, char* at) {
  at = PutLength(field, values::FutureId::kTextBytes, at);
  id.WriteText(at);
  return at + values::FutureId::kTextBytes;
}

// Bytes to append to, in memory that is used again.
class Buffer {
 public:
  // Room for so many, to be filled at once: the next call moves it.
  char* Extend(size_t bytes) {
    const size_t at = std::exchange(size_, size_ + bytes);
    if (size_ > buffer_.size()) buffer_.resize(std::max(size_, buffer_.size() * 2));
    return buffer_.data() + at;
  }
  // Until the next call of anything else.
  std::string_view bytes() const { return std::string_view(buffer_.data(), size_); }
  // What it holds, it keeps as memory, unless that is more than `kept_max` bytes.
  void Clear(size_t kept_max) {
    size_ = 0;
    if (buffer_.size() <= kept_max) return;
    buffer_.clear();
    buffer_.shrink_to_fit();
  }

 private:
  std::string buffer_;  // of which so much is in use:
  size_t size_ = 0;
};

}  // namespace muster::wire
