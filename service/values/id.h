// A future's identity: which shard holds it, where in the shard's slab it lies, and that it is this one and none
// before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace muster::values {

// A namespace interned by the runtime; the core compares, nothing else.
using NamespaceId = uint32_t;
// A function interned by the runtime's registry; opaque to the core.
using FunctionId = uint32_t;
using ShardIndex = uint16_t;

// Sequence numbers only grow within an incarnation of a shard, so `sequence` below the shard's high-water mark tells a
// future that is gone from one that never was, without keeping a tombstone.
//
// The text form is 28 characters of Crockford's base 32 (lower case): opaque to clients, not a secret.
struct FutureId {
  uint64_t sequence = 0;     // 48 bits; 0 is "no future"
  uint32_t incarnation = 0;  // 30 bits: raised by each start of the server
  uint32_t slot = 0;         // position in the shard's slab: finding a future is an array access
  ShardIndex shard = 0;      // 10 bits in use at most
  uint16_t ns_tag = 0;       // hash of the namespace: what is left to compare once the future itself is gone

  explicit operator bool() const { return sequence != 0; }
  friend bool operator==(const FutureId&, const FutureId&) = default;
  friend auto operator<=>(const FutureId&, const FutureId&) = default;

  static constexpr size_t kTextBytes = 28;
  std::string ToText() const;
  // The same into kTextBytes bytes, with no zero behind them: most answers have an id in them, and it allocates
  // nothing.
  void WriteText(char* text) const;
  // nullopt when `text` was not made by ToText.
  static std::optional<FutureId> Parse(std::string_view text);
};

uint16_t NamespaceTag(std::string_view ns);

// A namespace as the core knows it.
struct Namespace {
  NamespaceId id = 0;
  uint16_t tag = 0;
};

}  // namespace muster::values

template <>
struct std::hash<muster::values::FutureId> {
  size_t operator()(const muster::values::FutureId& id) const noexcept {
    uint64_t h = id.sequence * 0x9E3779B97F4A7C15ull;
    h ^= (uint64_t{id.shard} << 32 | id.incarnation) * 0xC2B2AE3D27D4EB4Full;
    return static_cast<size_t>(h ^ (h >> 29));
  }
};
