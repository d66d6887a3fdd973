#include "service/runtime/calls/resume_token.h"

#include <algorithm>
#include <functional>

#include "absl/strings/escaping.h"

namespace muster::runtime {
namespace {

constexpr char kVersion = 1;
constexpr size_t kShardsMax = 1024;

void PutVarint(uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

bool TakeVarint(std::string_view& rest, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const unsigned char byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

uint64_t Mix(uint64_t hash) {
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdull;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53ull;
  return hash ^ hash >> 33;
}

}  // namespace

std::string ResumeToken::ToText() const {
  std::string bytes(1, kVersion);
  PutVarint(set_hash, bytes);
  for (const auto& [shard, position] : positions) {
    PutVarint(shard, bytes);
    PutVarint(position, bytes);
  }
  std::string text;
  absl::WebSafeBase64Escape(bytes, &text);
  return text;
}

std::optional<ResumeToken> ResumeToken::Parse(std::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(std::string(text), &bytes)) return std::nullopt;
  std::string_view rest = bytes;
  if (rest.empty() || rest.front() != kVersion) return std::nullopt;
  rest.remove_prefix(1);
  ResumeToken token;
  if (!TakeVarint(rest, token.set_hash)) return std::nullopt;
  while (!rest.empty()) {
    uint64_t shard = 0;
    uint64_t position = 0;
    if (!TakeVarint(rest, shard) || !TakeVarint(rest, position)) return std::nullopt;
    if (shard >= kShardsMax) return std::nullopt;
    token.positions[static_cast<values::ShardIndex>(shard)] = position;
  }
  return token;
}

uint64_t HashOfSet(const core::FutureSet& set) {
  if (!set.group.empty()) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const char c : set.group) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    return Mix(hash);
  }
  std::vector<values::FutureId> ids = set.ids;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  uint64_t hash = ids.size();
  for (const values::FutureId& id : ids) {
    hash = Mix(hash ^ id.sequence);
    hash = Mix(hash ^ (uint64_t{id.incarnation} << 16 | id.shard));
  }
  return hash;
}

}  // namespace muster::runtime
