#include "service/store/rocks_journal.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/utilities/checkpoint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "service/base/failpoint.h"
#include "service/base/log.h"
#include "service/base/mutex.h"
#include "service/base/status.h"
#include "service/base/thread.h"
#include "service/store/detail/commit_row.h"
#include "service/store/detail/folder.h"
#include "service/store/detail/high_water.h"
#include "service/store/detail/open_rocks.h"
#include "service/store/detail/probe.h"
#include "service/store/detail/status.h"

namespace muster::store {
namespace {

// RocksDB 9 has no argument any more; before, none meant force, which would undo what another caller asked for.
template <typename Database>
rocksdb::Status EnableFileDeletions(Database& db) {
  if constexpr (requires { db.EnableFileDeletions(false); }) {
    return db.EnableFileDeletions(/*force=*/false);
  } else {
    return db.EnableFileDeletions();
  }
}

rocksdb::Slice AsSlice(std::string_view text) { return {text.data(), text.size()}; }

// The first failure, which every later Append returns, and what RocksDB's own threads report.
class Health final : public rocksdb::EventListener {
 public:
  explicit Health(std::string path) : path_(std::move(path)) {}

  // The last commit that is in the log, and the last that is in no memtable any more. The journal stores them when it
  // opens and after each write, with release; loaded with acquire by Sync, which then syncs it, and by stats.
  std::atomic<uint64_t> written{0};
  std::atomic<uint64_t> sealed{0};  // relaxed: for an estimate

  absl::Status failure() const {
    base::MutexLock lock(mutex_);
    return failure_;
  }
  // Returns the first one.
  absl::Status Fail(const absl::Status& failure) {
    base::MutexLock lock(mutex_);
    if (failure_.ok()) {
      failure_ = failure;
      base::LogError("the store has failed and takes no more writes",
                     {{"path", path_}, {"error", std::string(failure.message())}});
    }
    return failure_;
  }
  uint64_t stalls() const { return stalls_.load(std::memory_order_relaxed); }
  uint64_t background_errors() const { return background_errors_.load(std::memory_order_relaxed); }

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    background_errors_.fetch_add(1, std::memory_order_relaxed);
    (void)Fail(detail::ToStatus(*error, "write to", path_));
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }
  void OnMemTableSealed(const rocksdb::MemTableInfo&) override {
    sealed.store(written.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override {
    if (info.condition.cur != rocksdb::WriteStallCondition::kNormal &&
        info.condition.prev == rocksdb::WriteStallCondition::kNormal) {
      stalls_.fetch_add(1, std::memory_order_relaxed);
    }
  }

 private:
  const std::string path_;
  mutable base::Mutex mutex_;
  absl::Status failure_ MUSTER_GUARDED_BY(mutex_);
  std::atomic<uint64_t> stalls_{0};             // relaxed: counts
  std::atomic<uint64_t> background_errors_{0};  // relaxed: counts
};

class RocksJournal final : public Journal {
 public:
  RocksJournal(const RocksOptions& options, detail::OpenStore store, std::shared_ptr<Health> health)
      : options_(options),
        env_(options.env != nullptr ? options.env : rocksdb::Env::Default()),
        health_(std::move(health)),
        store_(std::move(store)),
        db_(*store_.db),
        epoch_(store_.epoch),
        synced_(store_.commit) {
    health_->written.store(store_.commit, std::memory_order_relaxed);
    health_->sealed.store(store_.flushed, std::memory_order_relaxed);
    if (options_.durability == base::Durability::kAsync && !options_.read_only) {
      sync_thread_ = base::Thread("store-sync", [this] { SyncNowAndThenBlocking(); });
    }
  }

  ~RocksJournal() override {
    {
      base::MutexLock lock(stop_mutex_);
      stopping_ = true;
      stop_.NotifyAll();
    }
    sync_thread_.Join();
    if (options_.read_only) return;
    absl::Status closed = Sync();
    base::MutexLock lock(sync_mutex_);
    if (closed.ok()) closed = store_.high_water->Sync();
    if (closed.ok()) closed = detail::ToStatus(db_.Close(), "close", options_.path);
    // A failure was told by the Append that met it; this is for those who would not ask again.
    if (!closed.ok()) base::LogWarning("the store was not closed well", {{"error", std::string(closed.message())}});
  }

  absl::StatusOr<uint32_t> TakeOver(uint32_t at_least) override;
  absl::Status Append(uint32_t epoch, std::span<const Batch* const> batches) override;
  absl::Status Scan(std::string_view prefix, const RowVisitor& visit) override;
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override;
  absl::Status Sync() override;
  absl::Status Compact() override;
  absl::Status Verify() override;
  absl::Status Backup(const std::string& path) override;
  base::Durability durability() const override { return options_.durability; }
  JournalStats stats() const override;

 private:
  absl::Status CheckWritable() const;
  // Fills batch_ with the number of the next commit.
  void BeginCommit() MUSTER_REQUIRES(write_mutex_);
  absl::Status FinishCommit(bool sync) MUSTER_REQUIRES(write_mutex_);
  absl::Status MarkSynced(uint64_t commit);
  void SyncNowAndThenBlocking();
  absl::Status MakeBackup(const std::string& partial);

  const RocksOptions options_;
  rocksdb::Env* const env_;
  const std::shared_ptr<Health> health_;
  detail::OpenStore store_;
  rocksdb::DB& db_;

  // Held while a commit is written and synced: TakeOver may come beside an Append.
  base::Mutex write_mutex_;
  uint32_t epoch_ MUSTER_GUARDED_BY(write_mutex_);
  rocksdb::WriteBatch batch_ MUSTER_GUARDED_BY(write_mutex_);
  std::string scratch_ MUSTER_GUARDED_BY(write_mutex_);

  base::Mutex sync_mutex_;
  uint64_t synced_ MUSTER_GUARDED_BY(sync_mutex_);

  std::atomic<uint64_t> commits_{0};    // relaxed: counts
  std::atomic<uint64_t> rows_{0};       // relaxed: counts
  std::atomic<uint64_t> log_bytes_{0};  // relaxed: counts

  base::Mutex stop_mutex_;
  base::CondVar stop_;
  bool stopping_ MUSTER_GUARDED_BY(stop_mutex_) = false;
  base::Thread sync_thread_;
};

absl::Status RocksJournal::CheckWritable() const {
  if (options_.read_only) {
    return absl::FailedPreconditionError(fmt::format("the store \"{}\" was opened to be read only", options_.path));
  }
  return health_->failure();
}

void RocksJournal::BeginCommit() {
  constexpr size_t kKeptBytes = 4 << 20;
  if (batch_.GetDataSize() > kKeptBytes) batch_ = rocksdb::WriteBatch();
  batch_.Clear();
  batch_.Put(AsSlice(detail::kCommitKey),
             detail::EncodeNumber(health_->written.load(std::memory_order_relaxed) + 1, 8));
}

absl::Status RocksJournal::FinishCommit(bool sync) {
  // Counting for its perf context is a look-up of the thread's own data for every key that is compared. Nobody reads
  // it.
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = db_.Write(options, &batch_);
  if (!status.ok()) return health_->Fail(detail::ToStatus(status, "write to", options_.path));
  base::Failpoint("journal.after_write");
  const uint64_t commit = health_->written.load(std::memory_order_relaxed) + 1;
  health_->written.store(commit, std::memory_order_release);
  if (sync) {
    MUSTER_RETURN_IF_ERROR(MarkSynced(commit));
  }
  base::Failpoint("journal.after_mark");
  return absl::OkStatus();
}

absl::Status RocksJournal::MarkSynced(uint64_t commit) {
  base::MutexLock lock(sync_mutex_);
  synced_ = std::max(synced_, commit);
  const absl::Status status = store_.high_water->Mark(commit);
  return status.ok() ? status : health_->Fail(status);
}

absl::StatusOr<uint32_t> RocksJournal::TakeOver(uint32_t at_least) {
  base::MutexLock lock(write_mutex_);
  MUSTER_RETURN_IF_ERROR(CheckWritable());
  if (epoch_ == std::numeric_limits<uint32_t>::max()) {
    return absl::ResourceExhaustedError(
        fmt::format("the store \"{}\" has had its last owner: epochs end at {}", options_.path, epoch_));
  }
  const uint32_t epoch = std::max(epoch_ + 1, at_least);
  BeginCommit();
  batch_.Put(AsSlice(detail::kEpochKey), detail::EncodeNumber(epoch, 4));
  MUSTER_RETURN_IF_ERROR(FinishCommit(/*sync=*/true));
  return epoch_ = epoch;
}

absl::Status RocksJournal::Append(uint32_t epoch, std::span<const Batch* const> batches) {
  base::Failpoint("journal.before_write");
  const bool fails = base::FailpointFails("journal.write");
  base::MutexLock lock(write_mutex_);
  MUSTER_RETURN_IF_ERROR(CheckWritable());
  if (epoch == 0 || epoch != epoch_) {
    return absl::FailedPreconditionError(
        fmt::format("the store is owned under epoch {}, not {}: another server has taken it over", epoch_, epoch));
  }
  if (fails) {
    return health_->Fail(
        detail::ToStatus(rocksdb::Status::IOError("failpoint journal.write"), "write to", options_.path));
  }
  BeginCommit();
  uint64_t rows = 0;
  for (const Batch* batch : batches) {
    rows += batch->rows();
    batch->ForEach([this](std::string_view key, std::optional<std::string_view> value) MUSTER_REQUIRES(write_mutex_) {
      const rocksdb::Slice stored = AsSlice(detail::StoredKey(key, scratch_));
      if (value) {
        batch_.Put(stored, AsSlice(*value));
      } else {
        batch_.Delete(stored);
      }
    });
  }
  const uint64_t bytes = batch_.GetDataSize();
  MUSTER_RETURN_IF_ERROR(FinishCommit(options_.durability == base::Durability::kSync));
  commits_.fetch_add(1, std::memory_order_relaxed);
  rows_.fetch_add(rows, std::memory_order_relaxed);
  log_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status RocksJournal::Scan(std::string_view prefix, const RowVisitor& visit) {
  std::string scratch;
  const std::string stored_prefix(detail::StoredKey(prefix, scratch));
  const std::optional<std::string> end = detail::PrefixEnd(stored_prefix);
  const rocksdb::Slice end_slice = end ? rocksdb::Slice(*end) : rocksdb::Slice();
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;  // recovery reads each row once
  if (end) options.iterate_upper_bound = &end_slice;
  const std::unique_ptr<rocksdb::Iterator> rows(db_.NewIterator(options));
  for (rows->Seek(stored_prefix); rows->Valid(); rows->Next()) {
    const std::string_view key = rows->key().ToStringView();
    if (detail::IsOwnKey(key)) continue;
    if (absl::Status status = visit(detail::UserKey(key, scratch), rows->value().ToStringView()); !status.ok()) {
      return status;
    }
  }
  return detail::ToStatus(rows->status(), "read", options_.path);
}

absl::StatusOr<std::optional<std::string>> RocksJournal::Get(std::string_view key) {
  std::string scratch;
  std::string value;
  const rocksdb::Status status = db_.Get({}, AsSlice(detail::StoredKey(key, scratch)), &value);
  if (status.IsNotFound()) return std::nullopt;
  MUSTER_RETURN_IF_ERROR(detail::ToStatus(status, "read", options_.path));
  return value;
}

absl::Status RocksJournal::Sync() {
  if (options_.read_only) return absl::OkStatus();
  MUSTER_RETURN_IF_ERROR(health_->failure());
  const uint64_t written = health_->written.load(std::memory_order_acquire);
  {
    base::MutexLock lock(sync_mutex_);
    if (synced_ >= written) return absl::OkStatus();
  }
  const rocksdb::Status status = db_.SyncWAL();
  if (!status.ok()) return health_->Fail(detail::ToStatus(status, "sync", options_.path));
  return MarkSynced(written);
}

void RocksJournal::SyncNowAndThenBlocking() {
  constexpr std::chrono::seconds kPeriod(1);
  for (;;) {
    {
      base::MutexLock lock(stop_mutex_);
      if (!stopping_) (void)stop_.WaitFor(stop_mutex_, kPeriod);
      if (stopping_) return;
    }
    if (!Sync().ok()) return;  // the next Append says so
  }
}

absl::Status RocksJournal::Compact() {
  MUSTER_RETURN_IF_ERROR(CheckWritable());
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  return detail::ToStatus(db_.CompactRange(options, nullptr, nullptr), "compact", options_.path);
}

absl::Status RocksJournal::Verify() {
  if (options_.read_only) {
    // Files as of now: an owner beside may have replaced those of the time when this was opened.
    MUSTER_ASSIGN_OR_RETURN(const detail::OpenStore now, detail::OpenAsReader(options_));
    return detail::VerifyFiles(*now.db, options_.path);
  }
  MUSTER_RETURN_IF_ERROR(detail::ToStatus(db_.DisableFileDeletions(), "verify", options_.path));
  // What would come back if the server stopped here, logs included; then the sorted files, byte by byte.
  absl::Status status = detail::ProbeStore(options_).status();
  if (status.ok()) status = detail::VerifyFiles(db_, options_.path);
  const absl::Status enabled = detail::ToStatus(EnableFileDeletions(db_), "verify", options_.path);
  return status.ok() ? enabled : status;
}

absl::Status RocksJournal::MakeBackup(const std::string& partial) {
  rocksdb::Checkpoint* made = nullptr;
  MUSTER_RETURN_IF_ERROR(detail::ToStatus(rocksdb::Checkpoint::Create(&db_, &made), "back up", options_.path));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  MUSTER_RETURN_IF_ERROR(detail::ToStatus(checkpoint->CreateCheckpoint(partial), "back up", options_.path));
  chmod(partial.c_str(), 0700);  // as the store itself
  RocksOptions copy = options_;
  copy.path = partial;
  MUSTER_ASSIGN_OR_RETURN(const detail::Probe probe, detail::ProbeCopy(copy));
  MUSTER_RETURN_IF_ERROR(detail::HighWater::Create(env_, partial, probe.commit));
  return detail::WriteMarker(env_, partial, detail::FolderState::kStore);
}

absl::Status RocksJournal::Backup(const std::string& path) {
  MUSTER_RETURN_IF_ERROR(CheckWritable());
  MUSTER_ASSIGN_OR_RETURN(const detail::FolderState state, detail::InspectFolder(env_, path));
  if (state != detail::FolderState::kMissing) {
    return absl::FailedPreconditionError(fmt::format("\"{}\" exists: name a folder that does not", path));
  }
  // A folder under its name is a whole backup.
  const std::string partial = path + ".partial";
  if (env_->FileExists(partial).ok()) {
    MUSTER_RETURN_IF_ERROR(detail::RemoveFiles(env_, partial, [](std::string_view) { return false; }));
    MUSTER_RETURN_IF_ERROR(detail::ToStatus(env_->DeleteDir(partial), "back up", options_.path));
  }
  MUSTER_RETURN_IF_ERROR(MakeBackup(partial));
  MUSTER_RETURN_IF_ERROR(detail::ToStatus(env_->RenameFile(partial, path), "back up", options_.path));
  return detail::SyncFolder(env_, detail::ParentOf(path));
}

JournalStats RocksJournal::stats() const {
  JournalStats stats;
  stats.commits = commits_.load(std::memory_order_relaxed);
  stats.rows = rows_.load(std::memory_order_relaxed);
  stats.log_bytes = log_bytes_.load(std::memory_order_relaxed);
  stats.stalls = health_->stalls();
  stats.background_errors = health_->background_errors();
  // RocksDB's estimate counts each version of a row in a memtable, and every commit writes the commit row.
  const uint64_t own =
      2 + health_->written.load(std::memory_order_acquire) -
      std::min(health_->written.load(std::memory_order_acquire), health_->sealed.load(std::memory_order_relaxed));
  uint64_t keys = 0;
  if (db_.GetIntProperty(rocksdb::DB::Properties::kEstimateNumKeys, &keys) && keys > own) stats.live_rows = keys - own;
  std::vector<std::string> names;
  if (env_->GetChildren(options_.path, &names).ok()) {
    for (const std::string& name : names) {
      uint64_t bytes = 0;
      if (env_->GetFileSize(options_.path + "/" + name, &bytes).ok()) stats.disk_bytes += bytes;
    }
  }
  struct statvfs volume = {};
  if (statvfs(options_.path.c_str(), &volume) == 0) {
    stats.free_bytes = static_cast<uint64_t>(volume.f_bavail) * volume.f_frsize;
  }
  return stats;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> OpenRocksJournal(const RocksOptions& options) {
  if (options.durability == base::Durability::kNone) {
    return absl::InvalidArgumentError("a store on disk is durable: ask for async or sync");
  }
  auto health = std::make_shared<Health>(options.path);
  MUSTER_ASSIGN_OR_RETURN(detail::OpenStore store,
                          options.read_only ? detail::OpenAsReader(options) : detail::OpenAsOwner(options, health));
  return std::make_unique<RocksJournal>(options, std::move(store), std::move(health));
}

}  // namespace muster::store
