#include "tests/support/fault_file_system.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

#include <rocksdb/system_clock.h>

#include "service/base/check.h"

// RocksDB 7.8 now and then forgets a memtable when the log that was to come with it cannot be written: two in a
// thousand cuts, of a database that takes no more writes.
extern "C" const char* __lsan_default_suppressions() { return "leak:rocksdb::DBImpl::SwitchMemtable\n"; }  // NOLINT

namespace muster::test {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

std::string FolderOf(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

// RocksDB's log for people: nothing depends on it.
bool IsForPeople(const std::string& path) { return std::filesystem::path(path).filename().string().starts_with("LOG"); }

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteWhole(const std::string& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  MUSTER_CHECK(out.good()) << path;
}

class SleeplessClock final : public rocksdb::SystemClockWrapper {
 public:
  SleeplessClock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  void SleepForMicroseconds(int) override {}
  const char* Name() const override { return "muster.SleeplessClock"; }
};

class FaultEnv final : public rocksdb::EnvWrapper {
 public:
  explicit FaultEnv(const std::shared_ptr<FaultFileSystem>& disk) : EnvWrapper(rocksdb::NewCompositeEnv(disk)) {
    file_system_ = disk;
    system_clock_ = std::make_shared<SleeplessClock>();
  }
};

}  // namespace

class FaultFileSystem::AppendedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  AppendedFile(FaultFileSystem* disk, std::string path, std::unique_ptr<rocksdb::FSWritableFile> file,
               std::shared_ptr<Bytes> bytes)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)), bytes_(std::move(bytes)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    base::MutexLock lock(disk_->mutex_);
    IOStatus status;
    rocksdb::Slice part = data;
    switch (disk_->Begin(FileOperation::kAppend, path_, &status)) {
      case Verdict::kFail:
        return status;
      case Verdict::kHalf:
        part = rocksdb::Slice(data.data(), disk_->Below(data.size() + 1));
        break;
      case Verdict::kGo:
        break;
    }
    const IOStatus written = target()->Append(part, options, debug);
    if (written.ok()) bytes_->written += part.size();
    return status.ok() ? written : status;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    base::MutexLock lock(disk_->mutex_);
    bytes_->written = std::min(bytes_->written, size);
    bytes_->synced = std::min(bytes_->synced, size);
    return target()->Truncate(size, options, debug);
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    base::MutexLock lock(disk_->mutex_);
    IOStatus status;
    const Verdict verdict = disk_->Begin(FileOperation::kSync, path_, &status);
    // The machine's disk is not asked: it would be slow, and nothing here depends on it.
    if (verdict == Verdict::kGo || (verdict == Verdict::kHalf && disk_->Coin())) {
      if (!disk_->ignore_syncs_) bytes_->synced = bytes_->written;
    }
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override { return Sync(options, debug); }
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  FaultFileSystem* const disk_;
  const std::string path_;
  const std::shared_ptr<Bytes> bytes_;
};

class FaultFileSystem::FileInPlace final : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  FileInPlace(FaultFileSystem* disk, std::string path, std::unique_ptr<rocksdb::FSRandomRWFile> file,
              std::shared_ptr<Bytes> bytes)
      : FSRandomRWFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)), bytes_(std::move(bytes)) {}

  IOStatus Write(uint64_t offset, const rocksdb::Slice& data, const IOOptions& options,
                 IODebugContext* debug) override {
    base::MutexLock lock(disk_->mutex_);
    IOStatus status;
    const Verdict verdict = disk_->Begin(FileOperation::kWriteInPlace, path_, &status);
    if (verdict == Verdict::kFail || (verdict == Verdict::kHalf && disk_->Coin())) return status;
    bytes_->in_place.emplace_back(offset, data.ToString());
    const IOStatus written = target()->Write(offset, data, options, debug);
    return status.ok() ? written : status;
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    base::MutexLock lock(disk_->mutex_);
    IOStatus status;
    if (disk_->Begin(FileOperation::kSync, path_, &status) == Verdict::kGo && !disk_->ignore_syncs_) {
      bytes_->safe = ReadWhole(path_);
      bytes_->in_place.clear();
    }
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override { return Sync(options, debug); }

 private:
  FaultFileSystem* const disk_;
  const std::string path_;
  const std::shared_ptr<Bytes> bytes_;
};

class FaultFileSystem::Folder final : public rocksdb::FSDirectoryWrapper {
 public:
  Folder(FaultFileSystem* disk, std::string path, std::unique_ptr<rocksdb::FSDirectory> folder)
      : FSDirectoryWrapper(std::move(folder)), disk_(disk), path_(std::move(path)) {
    while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  }

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    base::MutexLock lock(disk_->mutex_);
    IOStatus status;
    const Verdict verdict = disk_->Begin(FileOperation::kSyncFolder, path_, &status);
    if (verdict == Verdict::kFail || (verdict == Verdict::kHalf && disk_->Coin()) || disk_->ignore_syncs_)
      return status;
    std::erase_if(disk_->names_, [this](const NameChange& change) {
      if (FolderOf(change.path) != path_) return false;
      if (!change.buried.empty()) std::filesystem::remove(change.buried);
      return true;
    });
    return status;
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  FaultFileSystem* const disk_;
  std::string path_;
};

FaultFileSystem::FaultFileSystem(uint64_t seed, std::string graveyard)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), graveyard_(std::move(graveyard)), random_(seed) {
  std::filesystem::create_directories(graveyard_);
}

FaultFileSystem::~FaultFileSystem() = default;

void FaultFileSystem::Fail(FileOperation operation, std::string part, IOStatus error, int skip) {
  base::MutexLock lock(mutex_);
  failures_.push_back({operation, std::move(part), std::move(error), skip});
}

void FaultFileSystem::FailNoMore() {
  base::MutexLock lock(mutex_);
  failures_.clear();
}

void FaultFileSystem::CutAfter(int64_t changes) {
  base::MutexLock lock(mutex_);
  cut_at_ = changes_ + changes;
  if (changes == 0) is_cut_ = true;
}

bool FaultFileSystem::is_cut() const {
  base::MutexLock lock(mutex_);
  return is_cut_;
}

int64_t FaultFileSystem::changes() const {
  base::MutexLock lock(mutex_);
  return changes_;
}

void FaultFileSystem::IgnoreSyncs(bool ignore) {
  base::MutexLock lock(mutex_);
  ignore_syncs_ = ignore;
}

FaultFileSystem::Verdict FaultFileSystem::Begin(FileOperation operation, const std::string& path, IOStatus* error) {
  if (is_cut_) {
    *error = IOStatus::IOError("the power is cut");
    return Verdict::kFail;
  }
  for (Failure& failure : failures_) {
    if (failure.operation != operation || path.find(failure.part) == std::string::npos) continue;
    if (failure.skip-- > 0) continue;
    failure.skip = 0;
    *error = failure.error;
    return Verdict::kFail;
  }
  if (operation == FileOperation::kRead || operation == FileOperation::kLock) return Verdict::kGo;
  ++changes_;
  if (cut_at_ < 0 || changes_ < cut_at_) return Verdict::kGo;
  is_cut_ = true;
  *error = IOStatus::IOError("the power was cut just now");
  return Verdict::kHalf;
}

IOStatus FaultFileSystem::NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* file, IODebugContext* debug) {
  base::MutexLock lock(mutex_);
  IOStatus status;
  if (Begin(FileOperation::kRead, path, &status) != Verdict::kGo) return status;
  return target()->NewSequentialFile(path, options, file, debug);
}

IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                              IODebugContext* debug) {
  base::MutexLock lock(mutex_);
  IOStatus status;
  if (Begin(FileOperation::kRead, path, &status) != Verdict::kGo) return status;
  return target()->NewRandomAccessFile(path, options, file, debug);
}

void FaultFileSystem::Bury(const std::string& path, NameChange& change) {
  if (!std::filesystem::exists(path)) return;
  change.buried = graveyard_ + "/" + std::to_string(buried_++);
  std::filesystem::rename(path, change.buried);
  const auto found = bytes_.find(path);
  if (found == bytes_.end()) return;
  change.buried_bytes = std::move(found->second);
  bytes_.erase(found);
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  if (IsForPeople(path)) return target()->NewWritableFile(path, options, file, debug);
  base::MutexLock lock(mutex_);
  IOStatus status;
  const Verdict verdict = Begin(FileOperation::kCreate, path, &status);
  if (verdict == Verdict::kFail || (verdict == Verdict::kHalf && Coin())) return status;
  NameChange change{NameChange::Kind::kCreate, path, "", "", nullptr};
  Bury(path, change);
  std::unique_ptr<rocksdb::FSWritableFile> made;
  const IOStatus created = target()->NewWritableFile(path, options, &made, debug);
  if (!created.ok()) return created;
  auto bytes = std::make_shared<Bytes>();
  bytes_[path] = bytes;
  names_.push_back(std::move(change));
  if (!status.ok()) return status;
  *file = std::make_unique<AppendedFile>(this, path, std::move(made), std::move(bytes));
  return status;
}

IOStatus FaultFileSystem::ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                             std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  if (IsForPeople(path)) return target()->ReopenWritableFile(path, options, file, debug);
  base::MutexLock lock(mutex_);
  IOStatus status;
  if (Begin(FileOperation::kRead, path, &status) != Verdict::kGo) return status;
  std::error_code missing;
  const uint64_t size = std::filesystem::file_size(path, missing);
  if (missing) return IOStatus::PathNotFound(path);
  std::unique_ptr<rocksdb::FSWritableFile> opened;
  status = target()->ReopenWritableFile(path, options, &opened, debug);
  if (!status.ok()) return status;
  std::shared_ptr<Bytes>& bytes = bytes_[path];
  if (bytes == nullptr) bytes = std::make_shared<Bytes>(Bytes{size, size, {}, {}});
  *file = std::make_unique<AppendedFile>(this, path, std::move(opened), bytes);
  return status;
}

IOStatus FaultFileSystem::ReuseWritableFile(const std::string& path, const std::string&, const rocksdb::FileOptions&,
                                            std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) {
  MUSTER_CHECK(false) << "not modelled: using a log again as " << path;
  return IOStatus::NotSupported();
}

IOStatus FaultFileSystem::NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSRandomRWFile>* file, IODebugContext* debug) {
  base::MutexLock lock(mutex_);
  IOStatus status;
  if (Begin(FileOperation::kRead, path, &status) != Verdict::kGo) return status;
  std::unique_ptr<rocksdb::FSRandomRWFile> opened;
  status = target()->NewRandomRWFile(path, options, &opened, debug);
  if (!status.ok()) return status;
  std::shared_ptr<Bytes>& bytes = bytes_[path];
  if (bytes == nullptr) bytes = std::make_shared<Bytes>();
  MUSTER_CHECK_EQ(bytes->written, bytes->synced) << "not modelled: appended and then written in place: " << path;
  if (!bytes->safe) bytes->safe = ReadWhole(path);
  *file = std::make_unique<FileInPlace>(this, path, std::move(opened), bytes);
  return status;
}

IOStatus FaultFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* folder, IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> opened;
  const IOStatus status = target()->NewDirectory(path, options, &opened, debug);
  if (status.ok()) *folder = std::make_unique<Folder>(this, path, std::move(opened));
  return status;
}

IOStatus FaultFileSystem::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  if (IsForPeople(path)) return target()->DeleteFile(path, options, debug);
  base::MutexLock lock(mutex_);
  IOStatus status;
  const Verdict verdict = Begin(FileOperation::kDelete, path, &status);
  if (verdict == Verdict::kFail || (verdict == Verdict::kHalf && Coin())) return status;
  if (!std::filesystem::exists(path)) return IOStatus::PathNotFound(path);
  NameChange change{NameChange::Kind::kDelete, path, "", "", nullptr};
  Bury(path, change);
  names_.push_back(std::move(change));
  return status;
}

IOStatus FaultFileSystem::MakeFolder(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  base::MutexLock lock(mutex_);
  IOStatus status;
  const Verdict verdict = Begin(FileOperation::kMakeFolder, path, &status);
  if (verdict == Verdict::kFail || (verdict == Verdict::kHalf && Coin())) return status;
  const IOStatus made = target()->CreateDir(path, options, debug);
  if (made.ok()) names_.push_back({NameChange::Kind::kCreate, path, "", "", nullptr});
  return status.ok() ? made : status;
}

IOStatus FaultFileSystem::CreateDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  return MakeFolder(path, options, debug);
}

IOStatus FaultFileSystem::CreateDirIfMissing(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  if (std::filesystem::is_directory(path)) return IOStatus::OK();
  return MakeFolder(path, options, debug);
}

IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                     IODebugContext* debug) {
  if (IsForPeople(from)) return target()->RenameFile(from, to, options, debug);
  base::MutexLock lock(mutex_);
  IOStatus status;
  const Verdict verdict = Begin(FileOperation::kRename, to, &status);
  if (verdict == Verdict::kFail || (verdict == Verdict::kHalf && Coin())) return status;
  NameChange change{NameChange::Kind::kRename, to, from, "", nullptr};
  Bury(to, change);
  const IOStatus renamed = target()->RenameFile(from, to, options, debug);
  if (!renamed.ok()) return renamed;
  if (const auto found = bytes_.find(from); found != bytes_.end()) {
    bytes_[to] = std::move(found->second);
    bytes_.erase(found);
  }
  names_.push_back(std::move(change));
  return status;
}

IOStatus FaultFileSystem::LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                                   IODebugContext* debug) {
  base::MutexLock lock(mutex_);
  IOStatus status;
  if (Begin(FileOperation::kCreate, to, &status) == Verdict::kFail) return status;
  const IOStatus linked = target()->LinkFile(from, to, options, debug);
  if (!linked.ok()) return linked;
  if (const auto found = bytes_.find(from); found != bytes_.end()) bytes_[to] = found->second;
  names_.push_back({NameChange::Kind::kCreate, to, "", "", nullptr});
  return status;
}

IOStatus FaultFileSystem::LockFile(const std::string& path, const IOOptions& options, rocksdb::FileLock** lock,
                                   IODebugContext* debug) {
  base::MutexLock guard(mutex_);
  IOStatus status;
  if (Begin(FileOperation::kLock, path, &status) != Verdict::kGo) return status;
  return target()->LockFile(path, options, lock, debug);
}

void FaultFileSystem::Undo(const NameChange& change) {
  switch (change.kind) {
    case NameChange::Kind::kCreate:
      std::filesystem::remove_all(change.path);
      bytes_.erase(change.path);
      break;
    case NameChange::Kind::kDelete:
      break;
    case NameChange::Kind::kRename:
      if (!std::filesystem::exists(change.path)) break;
      std::filesystem::rename(change.path, change.old_path);
      if (const auto found = bytes_.find(change.path); found != bytes_.end()) {
        bytes_[change.old_path] = std::move(found->second);
        bytes_.erase(found);
      }
      break;
  }
  if (change.buried.empty()) return;
  std::filesystem::rename(change.buried, change.path);
  if (change.buried_bytes != nullptr) bytes_[change.path] = change.buried_bytes;
}

void FaultFileSystem::LoseNames() {
  const size_t n = names_.size();
  const uint64_t how = Below(4);
  const size_t kept = how == 0 ? 0 : how == 1 ? n : Below(n + 1);
  for (size_t i = n; i-- > kept;) Undo(names_[i]);
  for (size_t i = 0; i < kept; ++i) {
    if (!names_[i].buried.empty()) std::filesystem::remove(names_[i].buried);
  }
  names_.clear();
}

void FaultFileSystem::LoseTail(const std::string& path, const Bytes& bytes) {
  const uint64_t size = std::filesystem::file_size(path);
  if (bytes.synced >= size) return;
  const uint64_t kept = bytes.synced + Below(size - bytes.synced + 1);
  std::filesystem::resize_file(path, kept);
  // Not in other files: RocksDB takes garbage at the end of its manifest for damage, and file systems that order data
  // before sizes leave none.
  if (!path.ends_with(".log") || Below(3) != 0) return;
  std::string rest(Below(size - kept + 1), '\0');
  if (Coin()) {
    for (char& c : rest) c = static_cast<char>(random_());
  }
  std::ofstream(path, std::ios::binary | std::ios::app) << rest;
}

void FaultFileSystem::LoseInPlace(const std::string& path, const Bytes& bytes) {
  std::map<uint64_t, std::vector<std::string_view>> sectors;
  for (const auto& [offset, data] : bytes.in_place) sectors[offset].push_back(data);
  std::string text = *bytes.safe;
  const uint64_t how = Below(4);  // 0: nothing reached the disk, 1: all did, else each as it likes
  const bool tear = Below(8) == 0;
  uint64_t torn = sectors.empty() ? 0 : Below(sectors.size());
  for (const auto& [offset, versions] : sectors) {
    const uint64_t kept = how == 0 ? 0 : how == 1 ? versions.size() : Below(versions.size() + 1);
    std::string data = kept == 0 ? "" : std::string(versions[kept - 1]);
    if (tear && torn-- == 0) {
      data.resize(versions.back().size());
      for (char& c : data) c = static_cast<char>(random_());
    }
    text.replace(offset, data.size(), data);
  }
  WriteWhole(path, text);
}

void FaultFileSystem::LoseBytes(const std::string& path, const Bytes& bytes) {
  if (!std::filesystem::exists(path)) return;
  if (bytes.safe) {
    LoseInPlace(path, bytes);
  } else {
    LoseTail(path, bytes);
  }
}

void FaultFileSystem::LoseWhatWasNotSynced() {
  base::MutexLock lock(mutex_);
  LoseNames();
  for (const auto& [path, bytes] : bytes_) LoseBytes(path, *bytes);
  // What is there now has been there long enough.
  bytes_.clear();
  is_cut_ = false;
  cut_at_ = -1;
}

void FaultFileSystem::LoseNothing() {
  base::MutexLock lock(mutex_);
  is_cut_ = false;
  cut_at_ = -1;
}

std::unique_ptr<rocksdb::Env> MakeFaultEnv(std::shared_ptr<FaultFileSystem> disk) {
  return std::make_unique<FaultEnv>(disk);
}

}  // namespace muster::test
