#include "service/values/id.h"

#include <array>

#include "service/base/check.h"

namespace muster::values {
namespace {

constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr int kDigits = FutureId::kTextBytes;
constexpr int kSequenceBits = 48;
constexpr int kIncarnationBits = 30;
constexpr int kSlotBits = 32;
constexpr int kShardBits = 10;
constexpr int kTagBits = 16;
constexpr int kCheckBits = 4;
static_assert(kSequenceBits + kIncarnationBits + kSlotBits + kShardBits + kTagBits + kCheckBits == kDigits * 5);

// Four bits over all the rest, so that a mistyped id is refused as malformed instead of reported as not found.
uint64_t CheckOf(const FutureId& id) {
  uint64_t mixed = std::hash<FutureId>()(id) ^ (uint64_t{id.slot} << 16 | id.ns_tag) * 0x9E3779B97F4A7C15ull;
  mixed ^= mixed >> 32;
  mixed ^= mixed >> 16;
  mixed ^= mixed >> 8;
  return (mixed ^ mixed >> 4) & 0xf;
}

// The digits of a word, highest first.
template <int kCount>
char* WriteDigits(uint64_t word, char* at) {
  for (int digit = 0; digit < kCount; ++digit) at[digit] = kAlphabet[word >> 5 * (kCount - 1 - digit) & 0x1f];
  return at + kCount;
}

class DigitReader {
 public:
  explicit DigitReader(const std::array<uint8_t, kDigits>& digits) : digits_(digits) {}
  uint64_t Take(int bits) {
    while (left_bits_ < bits) {
      left_ = left_ << 5 | digits_[at_++];
      left_bits_ += 5;
    }
    left_bits_ -= bits;
    const uint64_t value = left_ >> left_bits_;
    left_ &= (uint64_t{1} << left_bits_) - 1;
    return value;
  }

 private:
  const std::array<uint8_t, kDigits>& digits_;
  uint64_t left_ = 0;
  int left_bits_ = 0;
  int at_ = 0;
};

constexpr std::array<uint8_t, 256> MakeDigitValues() {
  std::array<uint8_t, 256> values{};
  for (auto& value : values) value = 0xff;
  for (uint8_t digit = 0; digit < 32; ++digit) values[static_cast<unsigned char>(kAlphabet[digit])] = digit;
  return values;
}
constexpr std::array<uint8_t, 256> kDigitValues = MakeDigitValues();

}  // namespace

std::string FutureId::ToText() const {
  std::string text(kTextBytes, '\0');
  WriteText(text.data());
  return text;
}

// Three words of whole digits, so that no digit waits for the one before it: shard and incarnation; the sequence and
// the slot's upper two bits; what is left.
void FutureId::WriteText(char* text) const {
  MUSTER_DCHECK(sequence >> kSequenceBits == 0 && incarnation >> kIncarnationBits == 0 && shard >> kShardBits == 0)
      << "an id out of its range";
  constexpr int kSlotBelow = 30;
  static_assert((kShardBits + kIncarnationBits) % 5 == 0 && (kSequenceBits + kSlotBits - kSlotBelow) % 5 == 0);
  text = WriteDigits<8>(uint64_t{shard} << kIncarnationBits | incarnation, text);
  text = WriteDigits<10>(sequence << (kSlotBits - kSlotBelow) | slot >> kSlotBelow, text);
  const uint64_t below = slot & ((uint32_t{1} << kSlotBelow) - 1);
  WriteDigits<10>((below << kTagBits | ns_tag) << kCheckBits | CheckOf(*this), text);
}

std::optional<FutureId> FutureId::Parse(std::string_view text) {
  if (text.size() != kDigits) return std::nullopt;
  std::array<uint8_t, kDigits> digits;
  for (int at = 0; at < kDigits; ++at) {
    digits[at] = kDigitValues[static_cast<unsigned char>(text[at])];
    if (digits[at] == 0xff) return std::nullopt;
  }
  DigitReader reader(digits);
  FutureId id;
  id.shard = static_cast<ShardIndex>(reader.Take(kShardBits));
  id.incarnation = static_cast<uint32_t>(reader.Take(kIncarnationBits));
  id.sequence = reader.Take(kSequenceBits);
  id.slot = static_cast<uint32_t>(reader.Take(kSlotBits));
  id.ns_tag = static_cast<uint16_t>(reader.Take(kTagBits));
  if (id.sequence == 0 || reader.Take(kCheckBits) != CheckOf(id)) return std::nullopt;
  return id;
}

uint16_t NamespaceTag(std::string_view ns) {
  uint32_t hash = 2166136261u;  // FNV-1a
  for (char c : ns) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return static_cast<uint16_t>(hash ^ hash >> 16);
}

}  // namespace muster::values
