#include "service/app/tls.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/base/log.h"
#include "service/base/mutex.h"
#include "service/base/status.h"
#include "service/base/thread.h"

namespace muster::app {
namespace {

constexpr size_t kFileBytesMax = 1u << 20;

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Freer<&BIO_free>>;
using Certificate = std::unique_ptr<X509, Freer<&X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<&EVP_PKEY_free>>;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (file == nullptr) {
    return absl::InvalidArgumentError(fmt::format("{}: can't be read: {}", path, std::strerror(errno)));
  }
  std::string text(kFileBytesMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return absl::InvalidArgumentError(fmt::format("{}: can't be read", path));
  if (text.size() > kFileBytesMax) return absl::InvalidArgumentError(fmt::format("{}: larger than 1MiB", path));
  return text;
}

Bio Open(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// Every certificate of a PEM text; the error is for after "FILE: ".
absl::StatusOr<std::vector<Certificate>> ParseCertificates(const std::string& path, const std::string& text) {
  std::vector<Certificate> certificates;
  const Bio bio = Open(text);
  ERR_clear_error();
  while (X509* parsed = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) certificates.emplace_back(parsed);
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) return absl::InvalidArgumentError(fmt::format("{}: holds a certificate that does not parse", path));
  if (certificates.empty()) return absl::InvalidArgumentError(fmt::format("{}: holds no PEM certificate", path));
  return certificates;
}

int NoPassword(char*, int, int, void*) { return -1; }

absl::StatusOr<Key> ParseKey(const std::string& path, const std::string& text) {
  const Bio bio = Open(text);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassword, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    const bool encrypted = text.find("ENCRYPTED") != std::string::npos;
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", path, encrypted ? "the key is encrypted; it must not be" : "holds no PEM private key"));
  }
  return key;
}

// A file without a name: "/proc/self/fd/N" opens it. Replace changes what that path gives in one step.
class MemoryFile {
 public:
  MemoryFile() = default;
  ~MemoryFile() {
    if (fd_ >= 0) close(fd_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  absl::Status Replace(const std::string& text) {
    const int fresh = memfd_create("muster-tls", MFD_CLOEXEC);
    if (fresh < 0) return absl::InternalError(fmt::format("memfd_create: {}", std::strerror(errno)));
    for (size_t done = 0; done < text.size();) {
      const ssize_t wrote = write(fresh, text.data() + done, text.size() - done);
      if (wrote <= 0) {
        close(fresh);
        return absl::InternalError(fmt::format("can't write to memory: {}", std::strerror(errno)));
      }
      done += static_cast<size_t>(wrote);
    }
    if (fd_ < 0) {
      fd_ = fresh;
      return absl::OkStatus();
    }
    const int replaced = dup3(fresh, fd_, O_CLOEXEC);
    close(fresh);
    if (replaced < 0) return absl::InternalError(fmt::format("dup3: {}", std::strerror(errno)));
    return absl::OkStatus();
  }
  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

 private:
  int fd_ = -1;
};

}  // namespace

absl::StatusOr<TlsMaterial> LoadTlsMaterial(const TlsPaths& paths) {
  MUSTER_ASSIGN_OR_RETURN(const std::string cert, ReadFile(paths.cert));
  MUSTER_ASSIGN_OR_RETURN(const std::string key, ReadFile(paths.key));
  MUSTER_ASSIGN_OR_RETURN(const std::vector<Certificate> chain, ParseCertificates(paths.cert, cert));
  MUSTER_ASSIGN_OR_RETURN(const Key parsed_key, ParseKey(paths.key, key));
  if (X509_check_private_key(chain.front().get(), parsed_key.get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError(
        fmt::format("{}: the key does not belong to the first certificate of {}", paths.key, paths.cert));
  }
  TlsMaterial material;
  material.identity = cert + "\n" + key;
  if (!paths.client_ca.empty()) {
    MUSTER_ASSIGN_OR_RETURN(material.client_ca, ReadFile(paths.client_ca));
    MUSTER_RETURN_IF_ERROR(ParseCertificates(paths.client_ca, material.client_ca));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(chain.front().get())) < 0) {
    base::LogWarning("the TLS certificate has expired", {{"file", paths.cert}});
  }
  return material;
}

class TlsFiles::Impl {
 public:
  Impl(TlsPaths paths, base::Duration check_interval) : paths_(std::move(paths)), interval_(check_interval) {}
  ~Impl() {
    {
      base::MutexLock lock(mutex_);
      stop_ = true;
    }
    wake_.NotifyAll();
    thread_.Join();
  }

  absl::Status Start() {
    MUSTER_ASSIGN_OR_RETURN(TlsMaterial material, LoadTlsMaterial(paths_));
    MUSTER_RETURN_IF_ERROR(Use(std::move(material)));
    // gRPC looks at its files once a second at the most often.
    const bool mutual = !paths_.client_ca.empty();
    auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
        identity_.path(), identity_.path(), mutual ? client_ca_.path() : "", 1);
    grpc::experimental::TlsServerCredentialsOptions options(std::move(provider));
    options.watch_identity_key_cert_pairs();
    if (mutual) options.watch_root_certs();
    options.set_cert_request_type(mutual ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                         : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    credentials_ = grpc::experimental::TlsServerCredentials(options);
    thread_ = base::Thread("tls-files", [this] { Watch(); });
    return absl::OkStatus();
  }

  std::shared_ptr<grpc::ServerCredentials> credentials() const { return credentials_; }

 private:
  absl::Status Use(TlsMaterial material) {
    MUSTER_RETURN_IF_ERROR(identity_.Replace(material.identity));
    if (!paths_.client_ca.empty()) {
      MUSTER_RETURN_IF_ERROR(client_ca_.Replace(material.client_ca));
    }
    current_ = std::move(material);
    return absl::OkStatus();
  }

  void Watch() {
    std::string last_problem;
    bool reported = false;
    for (;;) {
      {
        base::MutexLock lock(mutex_);
        if (!stop_) wake_.WaitFor(mutex_, interval_);
        if (stop_) return;
      }
      absl::StatusOr<TlsMaterial> material = LoadTlsMaterial(paths_);
      if (material.ok()) {
        if (!std::exchange(last_problem, {}).empty() && reported) {
          base::LogInfo("the TLS files are in order again", {{"cert", paths_.cert}});
        }
        reported = false;
        if (*material == current_) continue;
        if (const absl::Status used = Use(*std::move(material)); used.ok()) {
          base::LogInfo("TLS files reloaded", {{"cert", paths_.cert}});
        } else {
          base::LogError("TLS files can't be reloaded", {{"error", std::string(used.message())}});
        }
        continue;
      }
      // Files that are copied one after the other do not fit for a moment: only what is still wrong the next time is
      // worth a line, and one is enough.
      std::string problem(material.status().message());
      if (problem != last_problem) {
        last_problem = std::move(problem);
        reported = false;
      } else if (!std::exchange(reported, true)) {
        base::LogError("the TLS files can't be used; what was loaded before stays in use", {{"error", last_problem}});
      }
    }
  }

  const TlsPaths paths_;
  const base::Duration interval_;
  MemoryFile identity_, client_ca_;
  TlsMaterial current_;  // the watching thread's, after Start
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  base::Mutex mutex_;
  base::CondVar wake_;
  bool stop_ MUSTER_GUARDED_BY(mutex_) = false;
  base::Thread thread_;
};

TlsFiles::TlsFiles(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsFiles::~TlsFiles() = default;

absl::StatusOr<std::unique_ptr<TlsFiles>> TlsFiles::Load(TlsPaths paths, base::Duration check_interval) {
  auto impl = std::make_unique<Impl>(std::move(paths), check_interval);
  MUSTER_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<TlsFiles>(new TlsFiles(std::move(impl)));
}

std::shared_ptr<grpc::ServerCredentials> TlsFiles::credentials() const { return impl_->credentials(); }

}  // namespace muster::app
