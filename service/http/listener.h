// Plain HTTP/1.1 on one address, for scrapers, probes and people: the admin port.
//
// It answers GET and HEAD (and POST where the router has any), takes no body, trusts no client: headers are bounded in
// size, each request, answer and connection in time, connections in number (past the bound the one that has been silent
// longest is closed, so that a crowd of idle ones can't keep a probe out). It has no TLS and no authentication: keep it
// on loopback or on a private network.
//
// Threading: one thread of its own, on which the router is asked. Lifetime: destruction closes everything and joins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "service/base/clock.h"
#include "service/http/router.h"

namespace muster::http {

struct ListenerOptions {
  std::string address = "127.0.0.1";  // numeric, or "localhost"
  std::uint16_t port = 0;             // 0: any free one
  std::size_t connections_max = 64;
  std::uint32_t header_bytes_max = 8 * 1024;
  std::uint32_t requests_max = 1000;                         // on one connection
  base::Duration request_timeout = std::chrono::seconds(5);  // from the first wait for a request to its last byte
  base::Duration answer_timeout = std::chrono::seconds(10);
  base::Duration connection_timeout = std::chrono::minutes(5);
};

class Listener {
 public:
  // Not OK when the address can't be bound.
  static absl::StatusOr<std::unique_ptr<Listener>> Start(ListenerOptions options, Router router);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // "127.0.0.1:7412", with the port that was bound.
  std::string address() const;

 private:
  class Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::http
