#include "service/rows/detail/reader.h"

#include <utility>

#include <fmt/format.h>

#include "service/rows/detail/form.h"
#include "service/rows/rows.h"

namespace muster::rows::detail {

bool Reader::Version() {
  const uint8_t version = Byte("version");
  if (!ok()) return false;
  if (version > kRowVersion) {
    Refuse("version", fmt::format("{}: a newer version of the server wrote it; this one reads rows up to version {}",
                                  version, kRowVersion));
  } else if (version == 0) {
    Refuse("version", "0: no server writes that");
  }
  return ok();
}

uint64_t Reader::LongVarint(const char* field) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at_ == end_) return CutShort(field);
    const uint64_t byte = static_cast<uint8_t>(*at_++);
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift > 0) Refuse(field, "a number that is longer than it needs to be");
      return ok() ? value : 0;
    }
  }
  Refuse(field, "a number of more than 64 bits");
  return 0;
}

uint64_t Reader::Below(int bits, const char* field) {
  const uint64_t value = Varint(field);
  if (value >> bits == 0) return value;
  Refuse(field, fmt::format("{} does not fit into {} bits", value, bits));
  return 0;
}

uint64_t Reader::Mask(uint64_t known, const char* field) {
  const uint64_t mask = Varint(field);
  if ((mask & ~known) == 0) return mask;
  Refuse(field, fmt::format("{:#x} has unknown bits; {:#x} are known", mask, known));
  return 0;
}

uint64_t Reader::Fixed(int bytes, const char* field) {
  if (remaining() < static_cast<size_t>(bytes)) return CutShort(field);
  uint64_t value = 0;
  for (int byte = 0; byte < bytes; ++byte) value |= uint64_t{static_cast<uint8_t>(*at_++)} << (8 * byte);
  return value;
}

std::string_view Reader::Text(const char* field) {
  const size_t size = Count(1, field);
  const std::string_view text(at_, size);
  at_ += size;
  return text;
}

size_t Reader::Count(size_t bytes_min, const char* field) {
  const uint64_t count = Varint(field);
  if (count <= remaining() / bytes_min) return static_cast<size_t>(count);
  Refuse(field,
         fmt::format("{} of at least {} bytes are said to follow, but {} bytes do", count, bytes_min, remaining()));
  return 0;
}

values::FutureId Reader::Id(const char* field) {
  values::FutureId id;
  id.sequence = Below(kSequenceBits, field);
  id.incarnation = static_cast<uint32_t>(Below(kIncarnationBits, field));
  id.slot = Varint32(field);
  id.shard = static_cast<values::ShardIndex>(Below(kShardBits, field));
  id.ns_tag = Fixed16(field);
  return id;
}

uint8_t Reader::CutShort(const char* field) {
  Refuse(field, "cut short");
  return 0;
}

void Reader::OutOfRange(const char* field, uint64_t value, uint64_t last) {
  Refuse(field, fmt::format("{} is unknown; {} is the last", value, last));
}

void Reader::Refuse(const char* field, std::string why) {
  if (!ok()) return;
  field_ = field;
  wrong_ = std::move(why);
  end_ = at_;
}

absl::Status Reader::Finish() {
  if (ok() && at_ != end_) Refuse("end", fmt::format("{} bytes are left over", remaining()));
  if (ok()) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("row of {}, byte {} of {}: {}: {}", row_, at_ - begin_, stop_ - begin_, field_, wrong_));
}

}  // namespace muster::rows::detail
