// Appends numbers and texts to a row. It collects what is short in a buffer of its own, which is much quicker than
// asking the string for room at every byte; so the row is complete once the writer is gone.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "service/base/clock.h"
#include "service/values/id.h"

namespace muster::rows::detail {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  ~Writer() { Flush(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void Byte(uint8_t value) {
    Room(1);
    *at_++ = static_cast<char>(value);
  }
  // Seven bits a byte, the lowest first.
  void Varint(uint64_t value) {
    Room(10);
    while (value >= 0x80) {
      *at_++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *at_++ = static_cast<char>(value);
  }
  // Zigzag, so that small numbers of either sign are short.
  void Signed(int64_t value) { Varint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63)); }
  // For what is as good as random. The lowest byte first.
  void Fixed16(uint16_t value) {
    Byte(static_cast<uint8_t>(value));
    Byte(static_cast<uint8_t>(value >> 8));
  }
  void Fixed64(uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) Byte(static_cast<uint8_t>(value >> shift));
  }
  void Text(std::string_view text) {
    Varint(text.size());
    if (text.size() > static_cast<size_t>(buffer_ + kBufferBytes - at_)) {
      Flush();
      out_.append(text);
      return;
    }
    // An empty text may lie nowhere, which memcpy does not take.
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void Time(base::Instant time) { Signed(time.time_since_epoch().count()); }
  // Wraps around, so that kNever and its like come back too.
  void TimeSince(base::Instant origin, base::Instant time) {
    Signed(static_cast<int64_t>(static_cast<uint64_t>(time.time_since_epoch().count()) -
                                static_cast<uint64_t>(origin.time_since_epoch().count())));
  }
  void Span(base::Duration duration) { Signed(duration.count()); }
  void Id(const values::FutureId& id) {
    Varint(id.sequence);
    Varint(id.incarnation);
    Varint(id.slot);
    Varint(id.shard);
    Fixed16(id.ns_tag);
  }

 private:
  static constexpr size_t kBufferBytes = 256;

  void Room(size_t bytes) {
    if (static_cast<size_t>(buffer_ + kBufferBytes - at_) < bytes) Flush();
  }
  void Flush() {
    out_.append(buffer_, static_cast<size_t>(at_ - buffer_));
    at_ = buffer_;
  }

  std::string& out_;
  char buffer_[kBufferBytes];
  char* at_ = buffer_;
};

}  // namespace muster::rows::detail
