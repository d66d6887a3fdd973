// An address to listen on or to connect to: a numeric host or localhost, and a port.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::base {

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

// "host:port", "[::1]:port". False, and `out` as it was, when it is neither.
bool ParseHostPort(std::string_view text, HostPort* out);
bool IsLoopback(const std::string& host);

}  // namespace muster::base
