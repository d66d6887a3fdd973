#include "service/base/options/host_port.h"

#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "service/base/options/value_text.h"

namespace muster::base {

bool ParseHostPort(std::string_view text, HostPort* out) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const std::optional<uint64_t> port = ParseCount(text.substr(colon + 1));
  if (!port.has_value() || *port > 65535) return false;
  std::string host(text.substr(0, colon));
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  in6_addr address{};
  if (!(brackets ? inet_pton(AF_INET6, host.c_str(), &address) == 1
                 : host == "localhost" || inet_pton(AF_INET, host.c_str(), &address) == 1)) {
    return false;
  }
  out->host = std::move(host);
  out->port = static_cast<uint16_t>(*port);
  return true;
}

bool IsLoopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

}  // namespace muster::base
