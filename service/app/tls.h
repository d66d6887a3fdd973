// TLS for the gRPC listener from PEM files that may be replaced while the server runs.
//
// The files are read once a second. A new set that holds together (the certificate parses, the key belongs to it, the
// authorities parse) is used for every handshake from then on; connections that exist keep what they have. A set that
// does not hold together is logged and the old one stays in use, so that a half-done or mistaken replacement harms
// nobody. Files are best replaced as cert-manager and Kubernetes do, by switching a symbolic link; copying one after
// the other works too.
//
// How: gRPC's own file watcher takes whatever it reads, and a bad file would end all handshakes. It is given files in
// memory instead, which only ever hold what has been checked.
//
// Threading: one thread of its own. Lifetime: outlives the server that uses its credentials.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/base/clock.h"

namespace grpc {
class ServerCredentials;
}

namespace muster::app {

struct TlsPaths {
  std::string cert;       // the server's chain, its own certificate first
  std::string key;        // not encrypted
  std::string client_ca;  // empty: clients need no certificate
};

// What the files held, once it has been checked.
struct TlsMaterial {
  std::string identity;  // chain and key
  std::string client_ca;
  friend bool operator==(const TlsMaterial&, const TlsMaterial&) = default;
};

// Reads and checks. The error names the file and what is wrong with it.
absl::StatusOr<TlsMaterial> LoadTlsMaterial(const TlsPaths& paths);

class TlsFiles {
 public:
  static absl::StatusOr<std::unique_ptr<TlsFiles>> Load(TlsPaths paths,
                                                        base::Duration check_interval = std::chrono::seconds(1));
  ~TlsFiles();
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  std::shared_ptr<grpc::ServerCredentials> credentials() const;

 private:
  class Impl;
  explicit TlsFiles(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::app
