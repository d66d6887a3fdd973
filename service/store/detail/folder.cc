#include "service/store/detail/folder.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <rocksdb/env.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/base/status.h"
#include "service/store/detail/status.h"

namespace muster::store::detail {
namespace {

constexpr std::string_view kLock = "MUSTER.lock";

constexpr std::string_view kFirstLine = "muster store\n";
constexpr std::string_view kFormat = "format ";
constexpr std::string_view kState = "state ";
constexpr std::string_view kChecksum = "checksum ";

std::string_view StateName(FolderState state) {
  switch (state) {
    case FolderState::kBeingMade:
      return "being made";
    case FolderState::kBeingRestored:
      return "being restored";
    default:
      return "ready";
  }
}

std::string MarkerText(FolderState state) {
  std::string text = fmt::format("{}{}{}\n{}{}\nmade by muster {}\n", kFirstLine, kFormat, kFolderFormat, kState,
                                 StateName(state), MUSTER_VERSION);
  return text + fmt::format("{}{:08x}\n", kChecksum, Checksum(text));
}

absl::Status Damaged(const std::string& folder) {
  return absl::DataLossError(
      fmt::format("\"{0}/MUSTER\" is damaged. Check the disk; put the file back, or restore the latest backup into an "
                  "empty folder",
                  folder));
}

absl::StatusOr<FolderState> ParseMarker(const std::string& folder, std::string_view text) {
  std::string_view rest = text;
  if (!rest.starts_with(kFirstLine)) return Damaged(folder);
  rest.remove_prefix(kFirstLine.size());
  if (!rest.starts_with(kFormat)) return Damaged(folder);
  rest.remove_prefix(kFormat.size());
  uint32_t format = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), format);
  if (parsed.ec != std::errc()) return Damaged(folder);
  // Before the checksum: nobody knows where a later format has it.
  if (format > kFolderFormat) {
    return absl::FailedPreconditionError(fmt::format(
        "the store \"{}\" has format {}, which is newer than {}, the newest that this version ({}) knows. Start "
        "the version that wrote it, or a later one",
        folder, format, kFolderFormat, MUSTER_VERSION));
  }
  const size_t checksum = text.rfind(kChecksum);
  if (checksum == std::string_view::npos ||
      text.substr(checksum) != fmt::format("{}{:08x}\n", kChecksum, Checksum(text.substr(0, checksum)))) {
    return Damaged(folder);
  }
  for (const FolderState state : {FolderState::kBeingMade, FolderState::kBeingRestored, FolderState::kStore}) {
    if (text.find(fmt::format("\n{}{}\n", kState, StateName(state))) != std::string_view::npos) return state;
  }
  return Damaged(folder);
}

// The process that holds the lock, for a message; 0 when it cannot be told. Not to be called by a process that holds
// it: closing any descriptor of the file would lose it.
int LockHolder(const std::string& file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  close(fd);
  return held ? static_cast<int>(lock.l_pid) : 0;
}

}  // namespace

absl::StatusOr<FolderState> InspectFolder(rocksdb::Env* env, const std::string& folder) {
  if (folder.empty()) {
    return absl::InvalidArgumentError("the store has no path: name the folder that it is to lie in");
  }
  const rocksdb::Status exists = env->FileExists(folder);
  if (IsMissing(exists)) return FolderState::kMissing;
  MUSTER_RETURN_IF_ERROR(ToStatus(exists, "look for", folder));
  bool is_folder = false;
  MUSTER_RETURN_IF_ERROR(ToStatus(env->IsDirectory(folder, &is_folder), "look at", folder));
  if (!is_folder) {
    return absl::FailedPreconditionError(
        fmt::format("\"{}\" is a file, not a folder: name a folder for the store", folder));
  }
  std::vector<std::string> names;
  MUSTER_RETURN_IF_ERROR(ToStatus(env->GetChildren(folder, &names), "list", folder));
  std::optional<std::string> other;
  bool marked = false;
  for (const std::string& name : names) {
    if (name == "MUSTER") marked = true;
    // lost+found: a file system of its own is a fine place for a store. The lock is taken before MUSTER is written.
    if (name != "." && name != ".." && name != "lost+found" && name != "MUSTER.new" && name != kLock) other = name;
  }
  if (!marked && !other) return FolderState::kEmpty;
  if (!marked) {
    return absl::FailedPreconditionError(fmt::format(
        "\"{0}\" is something else: it holds \"{1}\", and no file MUSTER. Name an empty folder for a new store; "
        "if this was a store, put MUSTER back, or restore the latest backup into an empty folder",
        folder, *other));
  }
  std::string text;
  MUSTER_RETURN_IF_ERROR(
      ToStatus(rocksdb::ReadFileToString(env, folder + "/MUSTER", &text), "read the file MUSTER of", folder));
  return ParseMarker(folder, text);
}

absl::Status WriteMarker(rocksdb::Env* env, const std::string& folder, FolderState state) {
  return ReplaceFile(env, folder, "MUSTER", MarkerText(state));
}

absl::Status MakeFolder(rocksdb::Env* env, const std::string& folder) {
  const std::string parent = ParentOf(folder);
  if (IsMissing(env->FileExists(parent))) {
    return absl::FailedPreconditionError(fmt::format(
        "\"{}\", the folder in which \"{}\" is to lie, does not exist: make it, or mount what belongs there", parent,
        folder));
  }
  const bool fresh = IsMissing(env->FileExists(folder));
  MUSTER_RETURN_IF_ERROR(ToStatus(env->CreateDirIfMissing(folder), "make the folder of", folder));
  // Payloads lie here as they are: for the server's user alone. A folder that was there keeps the mode that it was
  // given.
  if (fresh) chmod(folder.c_str(), 0700);
  return SyncFolder(env, parent);
}

absl::Status SyncFolder(rocksdb::Env* env, const std::string& folder) {
  std::unique_ptr<rocksdb::Directory> directory;
  rocksdb::Status status = env->NewDirectory(folder, &directory);
  if (status.ok()) status = directory->Fsync();
  return ToStatus(status, "sync the folder of", folder);
}

std::string ParentOf(const std::string& path) {
  std::string_view rest = path;
  while (rest.size() > 1 && rest.ends_with('/')) rest.remove_suffix(1);
  const size_t slash = rest.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(rest.substr(0, slash));
}

absl::Status ReplaceFile(rocksdb::Env* env, const std::string& folder, const std::string& name, std::string_view text) {
  const std::string fresh = folder + "/" + name + ".new";
  rocksdb::Status status =
      rocksdb::WriteStringToFile(env, rocksdb::Slice(text.data(), text.size()), fresh, /*should_sync=*/true);
  if (status.ok()) status = env->RenameFile(fresh, folder + "/" + name);
  MUSTER_RETURN_IF_ERROR(ToStatus(status, fmt::format("write the file {} of", name), folder));
  return SyncFolder(env, folder);
}

absl::Status RemoveFiles(rocksdb::Env* env, const std::string& folder, bool (*keep)(std::string_view name)) {
  std::vector<std::string> names;
  MUSTER_RETURN_IF_ERROR(ToStatus(env->GetChildren(folder, &names), "list", folder));
  for (const std::string& name : names) {
    if (name == "." || name == ".." || name == "lost+found" || keep(name)) continue;
    MUSTER_RETURN_IF_ERROR(
        ToStatus(env->DeleteFile(fmt::format("{}/{}", folder, name)), "delete leftovers in", folder));
  }
  return SyncFolder(env, folder);
}

absl::StatusOr<std::unique_ptr<FolderLock>> FolderLock::Take(rocksdb::Env* env, const std::string& folder) {
  const std::string file = fmt::format("{}/{}", folder, kLock);
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::Status status = env->LockFile(file, &lock);
  if (status.ok()) return std::unique_ptr<FolderLock>(new FolderLock(env, lock));
  const std::string text = status.ToString();
  const bool by_us = text.find("current process") != std::string::npos;
  const int holder = by_us ? static_cast<int>(getpid()) : LockHolder(file);
  if (by_us || holder > 0) {
    return absl::FailedPreconditionError(
        fmt::format("the store \"{}\" is in use by another server (process {}): stop that one, or name another folder",
                    folder, holder));
  }
  if (text.find(std::generic_category().message(EAGAIN)) != std::string::npos) {
    // Held by a process that this one cannot see: in another container, say.
    return absl::FailedPreconditionError(fmt::format(
        "the store \"{}\" is in use by another server, perhaps in another container: stop that one, or name "
        "another folder",
        folder));
  }
  return ToStatus(status, "lock", folder);
}

FolderLock::~FolderLock() { (void)env_->UnlockFile(lock_); }

uint32_t Checksum(std::string_view text) {
  static constexpr auto kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0u);
      table[i] = value;
    }
    return table;
  }();
  uint32_t crc = ~0u;
  for (const char c : text) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

}  // namespace muster::store::detail
