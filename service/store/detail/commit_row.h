// The rows of the store's own, and how users' keys keep clear of them.
//
// Own keys begin with two zero bytes. A user's key that begins with a zero byte is stored with a one put after it,
// which keeps the order of keys; every other key is stored as it is.
//
// Each commit begins with the commit row, which holds its number: 1 for the one that makes the store, then 2, 3, 4 ...
// without a gap. That is what loss is recognised by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster::store::detail {

inline constexpr std::string_view kOwnPrefix{"\0\0", 2};
inline constexpr std::string_view kCommitKey{"\0\0commit", 8};
inline constexpr std::string_view kEpochKey{"\0\0epoch", 7};

inline bool IsOwnKey(std::string_view stored) { return stored.starts_with(kOwnPrefix); }

// `scratch` holds the result where it differs from `key`.
std::string_view StoredKey(std::string_view key, std::string& scratch);
// Of a stored key that is not an own one.
std::string_view UserKey(std::string_view stored, std::string& scratch);
// The first key after all that begin with `prefix`; nothing when there is none.
std::optional<std::string> PrefixEnd(std::string_view prefix);

// Little-endian, `bytes` of them.
std::string EncodeNumber(uint64_t number, size_t bytes);
// Nothing when `text` is not `bytes` long.
std::optional<uint64_t> DecodeNumber(std::string_view text, size_t bytes);

}  // namespace muster::store::detail
