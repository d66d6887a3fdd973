#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include "service/base/status.h"
#include "service/store/detail/folder.h"
#include "service/store/detail/high_water.h"
#include "service/store/detail/open_rocks.h"
#include "service/store/detail/probe.h"
#include "service/store/detail/status.h"
#include "service/store/rocks_journal.h"

namespace muster::store {
namespace {

using detail::FolderState;

// What is written anew in the store that is made.
bool IsOwnFile(std::string_view name) { return name == "MUSTER" || name == "MUSTER.lock"; }
bool IsNotCopied(std::string_view name) {
  return IsOwnFile(name) || name == "." || name == ".." || name == "lost+found" || name == "LOCK" ||
         name == "HIGHWATER" || name == "IDENTITY" || name.starts_with("LOG");
}

// Not a hard link: a store shares nothing with its backup.
rocksdb::Status CopyFile(rocksdb::Env* env, const std::string& from, const std::string& to) {
  const rocksdb::EnvOptions plain;
  std::unique_ptr<rocksdb::SequentialFile> source;
  rocksdb::Status status = env->NewSequentialFile(from, &source, plain);
  if (!status.ok()) return status;
  std::unique_ptr<rocksdb::WritableFile> target;
  status = env->NewWritableFile(to, &target, plain);
  std::string buffer(1 << 20, '\0');
  rocksdb::Slice part;
  while (status.ok()) {
    status = source->Read(buffer.size(), &part, buffer.data());
    if (!status.ok() || part.empty()) break;
    status = target->Append(part);
  }
  if (status.ok()) status = target->Sync();
  if (status.ok()) status = target->Close();
  return status;
}

absl::Status CheckTarget(rocksdb::Env* env, const std::string& path) {
  MUSTER_ASSIGN_OR_RETURN(const FolderState state, detail::InspectFolder(env, path));
  if (state == FolderState::kStore) {
    return absl::FailedPreconditionError(
        fmt::format("\"{}\" is a store already: restore into another folder, or move that one away", path));
  }
  if (state == FolderState::kMissing) return detail::MakeFolder(env, path);
  return absl::OkStatus();
}

}  // namespace

absl::Status RestoreRocksBackup(const std::string& backup, const std::string& path, rocksdb::Env* env) {
  if (env == nullptr) env = rocksdb::Env::Default();
  RocksOptions source;
  source.env = env;
  source.path = backup;
  source.read_only = true;
  MUSTER_ASSIGN_OR_RETURN(detail::OpenStore from, detail::OpenAsReader(source));
  MUSTER_RETURN_IF_ERROR(detail::VerifyFiles(*from.db, backup));

  // In the folder itself, not in one beside it that is then renamed: where it is a mount point of its own, nothing can
  // be renamed onto it. MUSTER keeps everybody out until all is there.
  MUSTER_RETURN_IF_ERROR(CheckTarget(env, path));
  MUSTER_ASSIGN_OR_RETURN(const std::unique_ptr<detail::FolderLock> lock, detail::FolderLock::Take(env, path));
  MUSTER_RETURN_IF_ERROR(CheckTarget(env, path));
  MUSTER_RETURN_IF_ERROR(detail::WriteMarker(env, path, FolderState::kBeingRestored));
  MUSTER_RETURN_IF_ERROR(detail::RemoveFiles(env, path, &IsOwnFile));

  std::vector<std::string> names;
  MUSTER_RETURN_IF_ERROR(detail::ToStatus(env->GetChildren(backup, &names), "list", backup));
  for (const std::string& name : names) {
    if (IsNotCopied(name)) continue;
    MUSTER_RETURN_IF_ERROR(
        detail::ToStatus(CopyFile(env, fmt::format("{}/{}", backup, name), fmt::format("{}/{}", path, name)),
                         fmt::format("copy \"{}/{}\" into", backup, name), path));
  }
  MUSTER_RETURN_IF_ERROR(detail::SyncFolder(env, path));
  RocksOptions target;
  target.env = env;
  target.path = path;
  MUSTER_ASSIGN_OR_RETURN(const detail::Probe probe, detail::ProbeCopy(target));
  if (probe.commit < from.commit) return detail::MissingCommits(path, from.commit, probe.commit);
  MUSTER_RETURN_IF_ERROR(detail::HighWater::Create(env, path, probe.commit));
  return detail::WriteMarker(env, path, FolderState::kStore);
}

}  // namespace muster::store
