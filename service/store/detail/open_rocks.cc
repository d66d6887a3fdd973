#include "service/store/detail/open_rocks.h"

#include <utility>

#include <fmt/format.h>
#include <rocksdb/db.h>

#include "service/base/status.h"
#include "service/store/detail/commit_row.h"
#include "service/store/detail/probe.h"
#include "service/store/detail/settings.h"
#include "service/store/detail/status.h"

namespace muster::store::detail {
namespace {

rocksdb::Slice AsSlice(std::string_view text) { return {text.data(), text.size()}; }

absl::StatusOr<uint64_t> ReadNumber(rocksdb::DB& db, std::string_view key, size_t bytes, const std::string& path) {
  std::string value;
  MUSTER_RETURN_IF_ERROR(ToStatus(db.Get({}, AsSlice(key), &value), "read", path));
  const auto number = DecodeNumber(value, bytes);
  if (!number) return absl::DataLossError(fmt::format("the store \"{}\" has a damaged row of its own", path));
  return *number;
}

absl::Status ReadOwnRows(const std::string& path, OpenStore& store) {
  MUSTER_ASSIGN_OR_RETURN(store.commit, ReadNumber(*store.db, kCommitKey, 8, path));
  MUSTER_ASSIGN_OR_RETURN(const uint64_t epoch, ReadNumber(*store.db, kEpochKey, 4, path));
  store.epoch = static_cast<uint32_t>(epoch);
  return absl::OkStatus();
}

absl::Status NoStore(const std::string& path) {
  return absl::FailedPreconditionError(fmt::format(
      "there is no store in \"{}\", and none is to be made: name the folder of one, mount what belongs there, "
      "or restore a backup into it",
      path));
}

absl::Status RestoreInterrupted(const std::string& path) {
  return absl::FailedPreconditionError(
      fmt::format("a restore into \"{}\" was interrupted: run it again, or empty the folder", path));
}

// Nobody was told of what is there: it may go.
absl::Status MakeStore(rocksdb::Env* env, const std::string& path, rocksdb::Options rocks, OpenStore& store) {
  MUSTER_RETURN_IF_ERROR(WriteMarker(env, path, FolderState::kBeingMade));
  MUSTER_RETURN_IF_ERROR(
      RemoveFiles(env, path, [](std::string_view name) { return name == "MUSTER" || name == "MUSTER.lock"; }));
  rocks.create_if_missing = true;
  rocks.error_if_exists = true;
  rocksdb::DB* opened = nullptr;
  MUSTER_RETURN_IF_ERROR(ToStatus(rocksdb::DB::Open(rocks, path, &opened), "make", path));
  store.db.reset(opened);
  rocksdb::WriteBatch batch;
  batch.Put(AsSlice(kCommitKey), EncodeNumber(1, 8));
  batch.Put(AsSlice(kEpochKey), EncodeNumber(0, 4));
  rocksdb::WriteOptions synced;
  synced.sync = true;
  MUSTER_RETURN_IF_ERROR(ToStatus(store.db->Write(synced, &batch), "make", path));
  MUSTER_RETURN_IF_ERROR(HighWater::Create(env, path, 1));
  return WriteMarker(env, path, FolderState::kStore);
}

absl::Status OpenPresent(rocksdb::Env* env, const RocksOptions& options, const rocksdb::Options& rocks,
                         OpenStore& store) {
  MUSTER_ASSIGN_OR_RETURN(const Probe probe, ProbeStore(options));
  rocksdb::DB* opened = nullptr;
  MUSTER_RETURN_IF_ERROR(ToStatus(rocksdb::DB::Open(rocks, options.path, &opened), "open", options.path));
  store.db.reset(opened);
  MUSTER_ASSIGN_OR_RETURN(const uint64_t commit, ReadNumber(*store.db, kCommitKey, 8, options.path));
  if (commit < probe.commit) return MissingCommits(options.path, probe.commit, commit);
  // What came back was written to sorted files and synced just now. Both slots are whole again after this.
  return HighWater::Create(env, options.path, commit);
}

absl::StatusOr<OpenStore> TryOpenAsReader(const RocksOptions& options) {
  MUSTER_ASSIGN_OR_RETURN(const Probe probe, ProbeStore(options));
  OpenStore store;
  rocksdb::DB* opened = nullptr;
  MUSTER_RETURN_IF_ERROR(ToStatus(rocksdb::DB::OpenForReadOnly(ReaderOptions(options, nullptr), options.path, &opened),
                                  "read", options.path));
  store.db.reset(opened);
  store.flushed = probe.flushed;
  MUSTER_RETURN_IF_ERROR(ReadOwnRows(options.path, store));
  if (store.commit < probe.commit) return MissingCommits(options.path, probe.commit, store.commit);
  return store;
}

}  // namespace

OpenStore::OpenStore() = default;
OpenStore::OpenStore(OpenStore&&) noexcept = default;
OpenStore::~OpenStore() = default;

absl::StatusOr<OpenStore> OpenAsOwner(const RocksOptions& options, std::shared_ptr<rocksdb::EventListener> listener) {
  const rocksdb::Options rocks = OwnerOptions(options, std::move(listener));
  rocksdb::Env* const env = rocks.env;
  const std::string& path = options.path;
  MUSTER_ASSIGN_OR_RETURN(FolderState state, InspectFolder(env, path));
  const auto is_new = [&state] { return state != FolderState::kStore && state != FolderState::kBeingRestored; };
  if (is_new() && options.must_exist) return NoStore(path);
  if (state == FolderState::kMissing) {
    MUSTER_RETURN_IF_ERROR(MakeFolder(env, path));
  }
  OpenStore store;
  MUSTER_ASSIGN_OR_RETURN(store.lock, FolderLock::Take(env, path));
  // Again: another server may have come first.
  MUSTER_ASSIGN_OR_RETURN(state, InspectFolder(env, path));
  if (is_new() && options.must_exist) return NoStore(path);
  if (state == FolderState::kBeingRestored) return RestoreInterrupted(path);
  MUSTER_RETURN_IF_ERROR(is_new() ? MakeStore(env, path, rocks, store) : OpenPresent(env, options, rocks, store));
  MUSTER_ASSIGN_OR_RETURN(store.high_water, HighWater::Open(env, path));
  MUSTER_RETURN_IF_ERROR(ReadOwnRows(path, store));
  store.flushed = store.commit;
  return store;
}

absl::StatusOr<OpenStore> OpenAsReader(const RocksOptions& options) {
  rocksdb::Env* const env = options.env != nullptr ? options.env : rocksdb::Env::Default();
  MUSTER_ASSIGN_OR_RETURN(const FolderState state, InspectFolder(env, options.path));
  if (state == FolderState::kBeingRestored) return RestoreInterrupted(options.path);
  if (state != FolderState::kStore) return NoStore(options.path);
  // An owner that turns its log over or compacts takes files away between two looks at the folder.
  constexpr int kAttempts = 5;
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<OpenStore> store = TryOpenAsReader(options);
    if (store.ok() || attempt == kAttempts) return store;
  }
}

absl::Status VerifyFiles(rocksdb::DB& db, const std::string& path) {
  rocksdb::ReadOptions read;
  read.verify_checksums = true;
  read.fill_cache = false;
  MUSTER_RETURN_IF_ERROR(ToStatus(db.VerifyFileChecksums(read), "verify", path));
  const std::unique_ptr<rocksdb::Iterator> rows(db.NewIterator(read));
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
  }
  return ToStatus(rows->status(), "verify", path);
}

}  // namespace muster::store::detail
