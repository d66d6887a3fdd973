// `checksum`: CPU work for the blocking pool.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <openssl/evp.h>
#include <unistd.h>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/functions/file/crc32.h"
#include "service/functions/file/register.h"
#include "service/functions/input.h"
#include "service/jobs/error.h"
#include "service/jobs/json.h"

namespace muster::functions {
namespace {

constexpr size_t kChunk = 256 << 10;
constexpr int64_t kRoundsMax = 1'000'000'000;
constexpr int64_t kReportsMax = 100;

class Digest {
 public:
  virtual ~Digest() = default;
  virtual void Add(std::string_view data) = 0;
  virtual std::string Hex() = 0;
};

class Crc32Digest final : public Digest {
 public:
  void Add(std::string_view data) override { crc_ = Crc32(crc_, data); }
  std::string Hex() override { return fmt::format("{:08x}", crc_); }

 private:
  uint32_t crc_ = 0;
};

class Sha256Digest final : public Digest {
 public:
  Sha256Digest() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    ok_ = context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  }
  void Add(std::string_view data) override {
    ok_ = ok_ && EVP_DigestUpdate(context_.get(), data.data(), data.size()) == 1;
  }
  // Empty when OpenSSL refuses (a policy that forbids the algorithm).
  std::string Hex() override {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
    unsigned size = 0;
    if (!ok_ || EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) != 1) return {};
    std::string hex;
    for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", bytes[i]);
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  bool ok_ = false;
};

struct Request {
  std::string algorithm = "sha256";
  std::string path;  // empty: `data`
  std::string data;
  int64_t rounds = 1;
};

absl::StatusOr<Request> Parse(const jobs::Payload& payload, bool has_root) {
  Request request;
  const bool is_json = payload.encoding() == values::Encoding::kJson || payload.content_type() == "application/json";
  if (!is_json) {
    MUSTER_ASSIGN_OR_RETURN(request.data, jobs::ParseBytes(payload));
    return request;
  }
  Input input = Input::Object(payload, {"data", "data_base64", "path", "algorithm", "rounds"}, "data");
  const int given = int{input.Has("data")} + int{input.Has("data_base64")} + int{input.Has("path")};
  if (given != 1) input.Fail("exactly one of data, data_base64 and path must be given");
  if (input.Has("path") && !has_root) input.Fail("path: the service has no root for files");
  request.path = input.Text("path", 4096);
  if (input.Has("path") && request.path.empty()) input.Fail("path: empty, must name something below the root");
  request.data = input.Has("data_base64") ? input.Base64("data_base64") : input.Text("data", SIZE_MAX);
  if (input.Has("algorithm")) request.algorithm = input.Text("algorithm", 32);
  if (request.algorithm != "sha256" && request.algorithm != "crc32") {
    input.Fail(fmt::format("algorithm: {}, must be sha256 or crc32", Shown(request.algorithm)));
  }
  request.rounds = input.Integer("rounds", 1, 1, kRoundsMax);
  MUSTER_RETURN_IF_ERROR(input.status());
  return request;
}

absl::Status Cancelled() { return absl::CancelledError("cancelled between two rounds"); }

// Bytes taken in.
absl::StatusOr<uint64_t> AddData(Digest& digest, std::string_view data, const jobs::BlockingContext& context) {
  for (size_t at = 0; at < data.size(); at += kChunk) {
    if (context.cancelled()) return Cancelled();
    digest.Add(data.substr(at, kChunk));
  }
  return data.size();
}

absl::StatusOr<uint64_t> AddFile(Digest& digest, int fd, std::string_view path, std::string& buffer,
                                 const jobs::BlockingContext& context) {
  buffer.resize(kChunk);
  uint64_t total = 0;
  for (;;) {
    if (context.cancelled()) return Cancelled();
    const ssize_t count = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(total));
    if (count == 0) return total;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileFailure(errno, path);
    digest.Add(std::string_view(buffer).substr(0, static_cast<size_t>(count)));
    total += static_cast<uint64_t>(count);
  }
}

absl::StatusOr<jobs::Payload> Checksum(const FileRoot* root, jobs::BlockingContext& context,
                                       const jobs::Payload& payload) {
  MUSTER_ASSIGN_OR_RETURN(const Request request, Parse(payload, root != nullptr));
  std::unique_ptr<Digest> digest;
  if (request.algorithm == "crc32") {
    digest = std::make_unique<Crc32Digest>();
  } else {
    digest = std::make_unique<Sha256Digest>();
  }
  Descriptor file;
  if (!request.path.empty()) {
    MUSTER_ASSIGN_OR_RETURN(file, root->OpenFile(request.path));
  }
  std::string buffer;
  uint64_t bytes = 0;
  const int64_t report_every = std::max<int64_t>(1, request.rounds / kReportsMax);
  for (int64_t round = 0; round < request.rounds; ++round) {
    if (context.cancelled()) return Cancelled();
    absl::StatusOr<uint64_t> added = file.get() >= 0 ? AddFile(*digest, file.get(), request.path, buffer, context)
                                                     : AddData(*digest, request.data, context);
    if (!added.ok()) return added.status();
    bytes += *added;
    if (request.rounds > 1 && (round + 1) % report_every == 0) {
      context.ReportProgress(static_cast<double>(round + 1) / static_cast<double>(request.rounds), {});
    }
  }
  const std::string hex = digest->Hex();
  if (hex.empty()) return jobs::Failure("NotAvailable", fmt::format("{} is not available here", request.algorithm));
  return jobs::JsonPayload({{"algorithm", request.algorithm}, {"checksum", hex}, {"bytes", bytes}});
}

}  // namespace

absl::Status RegisterChecksum(jobs::Registry& registry, std::shared_ptr<const FileRoot> root) {
  const std::string path = root == nullptr ? "" : " or the file \"path\" below the configured root";
  return registry.AddBlocking(
      "checksum",
      fmt::format("The checksum of the text \"data\", the bytes \"data_base64\"{}; or of a payload of text or bytes as "
                  "it is. \"algorithm\" is sha256 (when absent) or crc32. \"rounds\" (1 to {}) takes the input in that "
                  "many times over, for work of any size; a cancel is seen between rounds. Returns {{\"algorithm\", "
                  "\"checksum\" (hexadecimal), \"bytes\"}}.",
                  path, kRoundsMax),
      jobs::JsonPayload({{"data", "hello"}, {"algorithm", "sha256"}}),
      [root](jobs::BlockingContext& context, const jobs::Payload& input) {
        return Checksum(root.get(), context, input);
      });
}

}  // namespace muster::functions
