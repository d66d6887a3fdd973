#include "service/functions/http/address.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "fmt/format.h"

namespace muster::functions {
namespace {

using Bytes = std::array<uint8_t, 16>;

constexpr int kMappedBits = 96;

Bytes Mapped(const void* four_bytes) {
  Bytes bytes{};
  bytes[10] = bytes[11] = 0xFF;
  std::memcpy(bytes.data() + 12, four_bytes, 4);
  return bytes;
}

struct Network {
  const char* base;
  int bits;
};

// IANA's special-purpose registries (RFC 6890 and later): all that is not globally reachable, and multicast.
constexpr Network kSpecialIpv4[] = {
    {"0.0.0.0", 8},     {"10.0.0.0", 8},      {"100.64.0.0", 10},  {"127.0.0.0", 8},    {"169.254.0.0", 16},
    {"172.16.0.0", 12}, {"192.0.0.0", 24},    {"192.0.2.0", 24},   {"192.88.99.0", 24}, {"192.168.0.0", 16},
    {"198.18.0.0", 15}, {"198.51.100.0", 24}, {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4},
};
// Only 2000::/3 is global unicast; within it these are not.
constexpr Network kSpecialIpv6[] = {{"2001::", 23}, {"2001:db8::", 32}, {"3fff::", 20}};

Bytes ParseIpv6(const char* text) {
  Bytes bytes{};
  inet_pton(AF_INET6, text, bytes.data());
  return bytes;
}
Bytes ParseIpv4(const char* text) {
  in_addr address{};
  inet_pton(AF_INET, text, &address);
  return Mapped(&address);
}

bool SamePrefix(const Bytes& a, const Bytes& b, int bits) {
  const size_t whole = static_cast<size_t>(bits) / 8;
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  const int rest = bits % 8;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

// The IPv4 address within an IPv6 one, mapped, if its form carries one that packets would reach.
std::optional<Bytes> Carried(const Bytes& address) {
  static const Bytes nat64 = ParseIpv6("64:ff9b::");
  static const Bytes six_to_four = ParseIpv6("2002::");
  if (SamePrefix(address, nat64, 96)) return Mapped(address.data() + 12);
  if (SamePrefix(address, six_to_four, 16)) return Mapped(address.data() + 2);
  return std::nullopt;
}

bool IsMapped(const Bytes& address) {
  static const Bytes mapped = Mapped("\0\0\0");
  return SamePrefix(address, mapped, kMappedBits);
}

}  // namespace

absl::StatusOr<AddressPolicy> AddressPolicy::Make(const std::vector<std::string>& allow) {
  AddressPolicy policy;
  for (const std::string& entry : allow) {
    const size_t slash = entry.find('/');
    const std::string address = entry.substr(0, slash);
    Range range{};
    in_addr ipv4{};
    int bits_max = 128;
    bool ok = true;
    if (inet_pton(AF_INET, address.c_str(), &ipv4) == 1) {
      range.base = Mapped(&ipv4);
      bits_max = 32;
    } else {
      ok = inet_pton(AF_INET6, address.c_str(), range.base.data()) == 1;
    }
    range.bits = bits_max;
    if (ok && slash != std::string::npos) {
      const char* const end = entry.data() + entry.size();
      const auto [parsed, error] = std::from_chars(entry.data() + slash + 1, end, range.bits);
      ok = error == std::errc() && parsed == end && range.bits >= 0 && range.bits <= bits_max;
    }
    if (!ok) {
      return absl::InvalidArgumentError(
          fmt::format("\"{}\" is neither an address nor a network such as 10.0.0.0/8 or fd00::/8", entry));
    }
    if (bits_max == 32) range.bits += kMappedBits;
    policy.allowed_.push_back(range);
  }
  return policy;
}

bool AddressPolicy::Contains(const Range& range, const Bytes& address) {
  return SamePrefix(range.base, address, range.bits);
}

bool AddressPolicy::IsPublic(const Bytes& address) {
  if (IsMapped(address)) {
    return std::none_of(std::begin(kSpecialIpv4), std::end(kSpecialIpv4), [&](const Network& special) {
      return SamePrefix(ParseIpv4(special.base), address, kMappedBits + special.bits);
    });
  }
  if (const std::optional<Bytes> carried = Carried(address)) return IsPublic(*carried);
  if (address[0] >> 5 != 1) return false;  // 2000::/3
  return std::none_of(std::begin(kSpecialIpv6), std::end(kSpecialIpv6), [&](const Network& special) {
    return SamePrefix(ParseIpv6(special.base), address, special.bits);
  });
}

bool AddressPolicy::IsListed(const Bytes& address) const {
  return std::any_of(allowed_.begin(), allowed_.end(), [&](const Range& range) { return Contains(range, address); });
}

bool AddressPolicy::Allows(const sockaddr* address) const {
  Bytes bytes;
  if (address->sa_family == AF_INET) {
    bytes = Mapped(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr);
  } else if (address->sa_family == AF_INET6) {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, bytes.size());
  } else {
    return false;
  }
  if (IsPublic(bytes) || IsListed(bytes)) return true;
  const std::optional<Bytes> carried = IsMapped(bytes) ? std::nullopt : Carried(bytes);
  return carried.has_value() && IsListed(*carried);
}

}  // namespace muster::functions
