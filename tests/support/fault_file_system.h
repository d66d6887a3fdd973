// A file system under RocksDB that fails as told, and one whose power can be cut.
//
// Files lie on the machine's disk, but what a file system promises is counted by the letter: bytes are safe once their
// file was synced, names once their folder was, in the order of the calls. Cutting the power makes everything fail;
// when all files are closed, LoseWhatWasNotSynced makes the disk look as it might then, and gives the power back:
//
// - of names made, renamed and deleted since the folder was synced, the first few are kept, none, or all;
// - of bytes appended since the file was synced, the first few; in a log sometimes garbage or zeros after them;
// - of writes in place since then, each sector holds any one of its versions, whatever the others hold; sometimes one
//   sector is garbage.
//
//   auto disk = std::make_shared<FaultFileSystem>(seed, folder / "graveyard");
//   auto env = MakeFaultEnv(disk);
//   disk->CutAfter(17);   // the seventeenth change from here on is the first that does not quite happen
//
// Threading: any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "service/base/mutex.h"

namespace muster::test {

enum class FileOperation {
  kCreate,
  kAppend,
  kSync,
  kWriteInPlace,
  kRename,
  kDelete,
  kMakeFolder,
  kSyncFolder,
  kLock,
  kRead
};

class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  // `graveyard` is made; deleted files lie there until their deletion is certain.
  FaultFileSystem(uint64_t seed, std::string graveyard);
  ~FaultFileSystem() override;

  // From the `skip`-th next on, each such operation on a file whose path contains `part` fails with `error`.
  void Fail(FileOperation operation, std::string part, rocksdb::IOStatus error, int skip = 0);
  void FailNoMore();

  // Reads are no changes.
  void CutAfter(int64_t changes);
  void CutNow() { CutAfter(0); }
  bool is_cut() const;
  int64_t changes() const;  // since the start
  // All files must be closed.
  void LoseWhatWasNotSynced();
  // Instead: it was the process that died, not the machine, and nothing is lost.
  void LoseNothing();

  // For tests that the tests notice: syncs are counted as done or not.
  void IgnoreSyncs(bool ignore);

  const char* Name() const override { return "muster.FaultFileSystem"; }
  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReuseWritableFile(const std::string& path, const std::string& old_path,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LockFile(const std::string& path, const rocksdb::IOOptions& options, rocksdb::FileLock** lock,
                             rocksdb::IODebugContext* debug) override;

 private:
  class AppendedFile;
  class FileInPlace;
  class Folder;

  // What is known of the bytes of a file that was written here; one that is not known is safe as it is.
  struct Bytes {
    uint64_t written = 0;
    uint64_t synced = 0;
    // Of files that are written in place: what is safe, and what was written since, by offset.
    std::optional<std::string> safe;
    std::vector<std::pair<uint64_t, std::string>> in_place;
  };
  // A change of names that is not safe yet.
  struct NameChange {
    enum class Kind { kCreate, kDelete, kRename } kind;
    std::string path;
    std::string old_path;  // kRename
    std::string buried;    // what lay under `path` before, in the graveyard; may be empty
    std::shared_ptr<Bytes> buried_bytes;
  };
  struct Failure {
    FileOperation operation;
    std::string part;
    rocksdb::IOStatus error;
    int skip = 0;
  };
  enum class Verdict { kGo, kHalf, kFail };

  // What is to happen to the operation that begins: kHalf for the one that the power goes off at.
  Verdict Begin(FileOperation operation, const std::string& path, rocksdb::IOStatus* error) MUSTER_REQUIRES(mutex_);
  bool Coin() MUSTER_REQUIRES(mutex_) { return Below(2) == 0; }
  uint64_t Below(uint64_t bound) MUSTER_REQUIRES(mutex_) { return random_() % bound; }
  // Moves what lies under `path`, if anything, into the graveyard.
  void Bury(const std::string& path, NameChange& change) MUSTER_REQUIRES(mutex_);
  void Undo(const NameChange& change) MUSTER_REQUIRES(mutex_);
  void LoseNames() MUSTER_REQUIRES(mutex_);
  void LoseBytes(const std::string& path, const Bytes& bytes) MUSTER_REQUIRES(mutex_);
  void LoseTail(const std::string& path, const Bytes& bytes) MUSTER_REQUIRES(mutex_);
  void LoseInPlace(const std::string& path, const Bytes& bytes) MUSTER_REQUIRES(mutex_);
  rocksdb::IOStatus MakeFolder(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug);

  const std::string graveyard_;
  mutable base::Mutex mutex_;
  std::mt19937_64 random_ MUSTER_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Bytes>> bytes_ MUSTER_GUARDED_BY(mutex_);
  std::vector<NameChange> names_ MUSTER_GUARDED_BY(mutex_);
  std::vector<Failure> failures_ MUSTER_GUARDED_BY(mutex_);
  uint64_t buried_ MUSTER_GUARDED_BY(mutex_) = 0;
  int64_t changes_ MUSTER_GUARDED_BY(mutex_) = 0;
  int64_t cut_at_ MUSTER_GUARDED_BY(mutex_) = -1;  // negative: not at all
  bool is_cut_ MUSTER_GUARDED_BY(mutex_) = false;
  bool ignore_syncs_ MUSTER_GUARDED_BY(mutex_) = false;
};

// For RocksOptions::env. Its clock does not sleep: RocksDB waits a second after each error in the background.
std::unique_ptr<rocksdb::Env> MakeFaultEnv(std::shared_ptr<FaultFileSystem> disk);

}  // namespace muster::test
