// Takes a row apart and trusts nothing of it. The first thing that is wrong is kept and ends the row: every later read
// gives zeros, so that a decoder reads on without asking, save before it goes round a loop, and asks Finish() at the
// end.
//
//   Reader reader("marks", value);
//   if (!reader.Version()) return reader.Finish();
//   marks.last_sequence = reader.Varint("last_sequence");
//   MUSTER_RETURN_IF_ERROR(reader.Finish());
//
// Names of rows and fields are literals: they are kept by address.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/values/id.h"

namespace muster::rows::detail {

class Reader {
 public:
  Reader(const char* row, std::string_view value)
      : row_(row), begin_(value.data()), at_(begin_), end_(begin_ + value.size()), stop_(end_) {}

  bool ok() const { return wrong_.empty(); }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }

  // The first byte; false when the rest is not to be read.
  bool Version();

  uint8_t Byte(const char* field) {
    if (at_ == end_) return CutShort(field);
    return static_cast<uint8_t>(*at_++);
  }
  // In its shortest form only, so that a value has one encoding.
  uint64_t Varint(const char* field) {
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) return static_cast<uint8_t>(*at_++);
    return LongVarint(field);
  }
  uint32_t Varint32(const char* field) { return static_cast<uint32_t>(Below(32, field)); }
  // Refuses what does not fit into `bits`.
  uint64_t Below(int bits, const char* field);
  // Refuses bits that are not in `known`.
  uint64_t Mask(uint64_t known, const char* field);
  int64_t Signed(const char* field) {
    const uint64_t value = Varint(field);
    return static_cast<int64_t>(value >> 1 ^ (~(value & 1) + 1));
  }
  uint16_t Fixed16(const char* field) { return static_cast<uint16_t>(Fixed(2, field)); }
  uint64_t Fixed64(const char* field) { return Fixed(8, field); }
  // Good while the row is.
  std::string_view Text(const char* field);
  // How many elements follow, of which each takes at least `bytes_min`: never more than there is room for.
  size_t Count(size_t bytes_min, const char* field);
  template <typename Enum>
  Enum OneOf(uint64_t value, Enum last, const char* field) {
    if (value <= static_cast<uint64_t>(last)) return static_cast<Enum>(value);
    OutOfRange(field, value, static_cast<uint64_t>(last));
    return Enum{};
  }

  base::Instant Time(const char* field) { return base::Instant(base::Duration(Signed(field))); }
  base::Instant TimeSince(base::Instant origin, const char* field) {
    const uint64_t since = static_cast<uint64_t>(Signed(field));
    return base::Instant(
        base::Duration(static_cast<int64_t>(since + static_cast<uint64_t>(origin.time_since_epoch().count()))));
  }
  base::Duration Span(const char* field) { return base::Duration(Signed(field)); }
  values::FutureId Id(const char* field);

  // What the row says can't be; nothing after it is looked at.
  void Refuse(const char* field, std::string why);
  // DATA_LOSS with what was wrong first, or that there are bytes left over.
  absl::Status Finish();

 private:
  uint8_t CutShort(const char* field);
  uint64_t LongVarint(const char* field);
  uint64_t Fixed(int bytes, const char* field);
  void OutOfRange(const char* field, uint64_t value, uint64_t last);

  const char* row_;
  const char* begin_;
  const char* at_;
  const char* end_;   // moved to at_ once something is wrong
  const char* stop_;  // where the row really ends
  const char* field_ = "";
  std::string wrong_;
};

}  // namespace muster::rows::detail
