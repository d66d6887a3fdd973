// Which addresses `http.request` may connect to: the public ones, and what the configuration allows besides.
//
// The decision falls on the address that was resolved, at the moment a socket is opened for it: a name that resolves to
// another address a second later, a redirect, or 0x7f.1 in the place of 127.0.0.1 change nothing. Addresses that carry
// an IPv4 address (mapped, NAT64's well-known prefix, 6to4) are as good as the one they carry.
//
// Threading: constant after Make.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "absl/status/statusor.h"

namespace muster::functions {

class AddressPolicy {
 public:
  // Addresses and CIDR ranges. kInvalidArgument names the entry that is neither.
  static absl::StatusOr<AddressPolicy> Make(const std::vector<std::string>& allow);

  // False for all families but IPv4 and IPv6.
  bool Allows(const sockaddr* address) const;

 private:
  // An IPv4 address is kept in its mapped form.
  using Bytes = std::array<uint8_t, 16>;
  struct Range {
    Bytes base;
    int bits;
  };

  static bool Contains(const Range& range, const Bytes& address);
  static bool IsPublic(const Bytes& address);
  bool IsListed(const Bytes& address) const;

  std::vector<Range> allowed_;
};

}  // namespace muster::functions
