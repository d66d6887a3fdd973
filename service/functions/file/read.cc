// `file.read`: a file below the root, or a part of it.
#include <algorithm>
#include <cerrno>
#include <utility>

#include <unistd.h>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/functions/file/register.h"
#include "service/functions/input.h"
#include "service/jobs/error.h"
#include "service/jobs/json.h"
#include "service/jobs/utf8.h"

namespace muster::functions {
namespace {

constexpr size_t kChunk = 64 << 10;
constexpr int64_t kOffsetMax = int64_t{1} << 53;

// At most `bytes_max` bytes from `offset`. What fstat says of a size is not believed: files grow, and some lie.
absl::StatusOr<std::string> ReadBlocking(int fd, int64_t offset, uint64_t bytes_max, std::string_view path,
                                         const jobs::BlockingContext& context) {
  std::string data;
  while (data.size() < bytes_max) {
    if (context.cancelled()) return absl::CancelledError("cancelled while reading");
    const size_t have = data.size();
    data.resize(have + std::min<uint64_t>(kChunk, bytes_max - have));
    const ssize_t count = pread(fd, data.data() + have, data.size() - have, offset + static_cast<int64_t>(have));
    data.resize(have + (count > 0 ? static_cast<size_t>(count) : 0));
    if (count == 0) break;
    if (count < 0 && errno != EINTR) return FileFailure(errno, path);
  }
  return data;
}

absl::StatusOr<jobs::Payload> FileRead(const FileRoot& root, jobs::BlockingContext& context,
                                       const jobs::Payload& payload) {
  const uint64_t cap = root.options().read_bytes_max;
  Input input = Input::Object(payload, {"path", "offset", "length", "as"}, "path");
  const std::string path = input.RequiredText("path", 4096);
  const int64_t offset = input.Integer("offset", 0, 0, kOffsetMax);
  const bool whole = !input.Has("length");
  const auto length = static_cast<uint64_t>(input.Integer("length", 0, 0, static_cast<int64_t>(cap)));
  const std::string as = input.Text("as", 16);
  if (!as.empty() && as != "text" && as != "bytes") input.Fail(fmt::format("as: {}, must be text or bytes", Shown(as)));
  MUSTER_RETURN_IF_ERROR(input.status());

  MUSTER_ASSIGN_OR_RETURN(const Descriptor file, root.OpenFile(path));
  // One byte more than allowed tells a file that is too large.
  MUSTER_ASSIGN_OR_RETURN(std::string data, ReadBlocking(file.get(), offset, whole ? cap + 1 : length, path, context));
  if (data.size() > cap) {
    return FileFailure("TooLarge", path,
                       fmt::format("more than {} bytes; read it in parts with \"offset\" and \"length\"", cap));
  }
  const bool is_text = as != "bytes" && jobs::IsUtf8(data);
  if (as == "text" && !is_text)
    return FileFailure("NotText", path, "not valid UTF-8; leave out \"as\" or say \"bytes\"");
  return is_text ? jobs::Payload::Text(std::move(data)) : jobs::Payload::Bytes(std::move(data));
}

}  // namespace

absl::Status RegisterFileRead(jobs::Registry& registry, std::shared_ptr<const FileRoot> root) {
  return registry.AddBlocking(
      "file.read",
      fmt::format("Reads a file below the configured root. \"path\" is relative to it (plain text is the path); "
                  "\"offset\" and \"length\" choose a part. Returns text if the bytes are UTF-8, else bytes; \"as\" "
                  "(\"text\" or \"bytes\") insists on one. At most {} bytes. Error types: NotFound, OutsideRoot, "
                  "IsADirectory, NotADirectory, NotARegularFile, TooLarge, NotText, PermissionDenied, TooManyLinks, "
                  "IoError.",
                  root->options().read_bytes_max),
      jobs::JsonPayload({{"path", "notes/hello.txt"}}),
      [root](jobs::BlockingContext& context, const jobs::Payload& input) { return FileRead(*root, context, input); });
}

}  // namespace muster::functions
