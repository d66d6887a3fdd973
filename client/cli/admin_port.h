// What `muster admin` asks a running server for, over HTTP: its admin port, which has no TLS and no authentication.
//
// Threading: one thread at a time. Lifetime: the interrupt outlives it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "client/cli/interrupt.h"
#include "service/base/clock.h"

namespace muster::cli {

class AdminPort {
 public:
  struct Answer {
    int status = 0;    // of HTTP
    std::string body;  // without the line feed at its end
  };

  // `address` is host:port.
  AdminPort(std::string address, const Interrupt& interrupt);

  const std::string& address() const { return address_; }
  // UNAVAILABLE: nobody answers; CANCELLED: Ctrl-C. `path` begins with '/'.
  absl::StatusOr<Answer> Get(std::string_view path) { return Request(path, /*post=*/false); }
  absl::StatusOr<Answer> Post(std::string_view path) { return Request(path, /*post=*/true); }

 private:
  absl::StatusOr<Answer> Request(std::string_view path, bool post);

  const std::string address_;
  const Interrupt& interrupt_;
};

// A part of a path, such as the name of a backup: what has a meaning in an address is written as %XX.
std::string PathPart(std::string_view text);

}  // namespace muster::cli
