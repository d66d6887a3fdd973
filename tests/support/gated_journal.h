// GatedJournal: a journal in memory whose appends a test holds, counts and lets fail, and whose rows can be taken aside
// at any time: what a crash at that moment would leave.
//
//   auto journal = std::make_unique<GatedJournal>(disk);
//   journal->Close();
//   ...                             // somebody appends
//   journal->WaitForArrivals(1);    // it stands at the gate
//   auto left = CopyOf(*disk);      // without what stands there
//   journal->Open();
//
// Threading: any thread.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "service/base/mutex.h"
#include "service/store/journal.h"
#include "service/store/memory_journal.h"

namespace muster::test {

// The rows as of now, on a disk of their own.
inline std::shared_ptr<store::MemoryStore> CopyOf(store::MemoryStore& disk) {
  auto copy = std::make_shared<store::MemoryStore>();
  base::MutexLock lock(disk.mutex);
  base::MutexLock copy_lock(copy->mutex);
  copy->rows = disk.rows;
  copy->epoch = disk.epoch;
  return copy;
}

class GatedJournal final : public store::Journal {
 public:
  explicit GatedJournal(std::shared_ptr<store::MemoryStore> disk)
      : disk_(std::move(disk)), inner_(store::OpenMemoryJournal(disk_)) {}

  void Close() {
    base::MutexLock lock(mutex_);
    closed_ = true;
    arrived_ = 0;
  }
  void Open() {
    base::MutexLock lock(mutex_);
    closed_ = false;
    changed_.NotifyAll();
  }
  // Lets those that stand at the gate now pass, and closes it behind them.
  void LetOneThrough() {
    base::MutexLock lock(mutex_);
    ++passes_;
    changed_.NotifyAll();
  }
  // Appends that have come to the gate since it was closed.
  void WaitForArrivals(int count) {
    base::MutexLock lock(mutex_);
    while (arrived_ < count) changed_.Wait(mutex_);
  }
  int arrived() {
    base::MutexLock lock(mutex_);
    return arrived_;
  }
  // Appends that have succeeded.
  int appends() {
    base::MutexLock lock(mutex_);
    return appends_;
  }
  size_t rows() const { return inner_->stats().rows; }
  // `good` more appends succeed; then the disk fails for good.
  void FailAfter(int good) {
    base::MutexLock lock(disk_->mutex);
    disk_->appends_left = good;
  }
  // Called on the journal's thread around each append that succeeds: nobody has been told of it then.
  void OnAppend(std::function<void()> before, std::function<void()> after) {
    base::MutexLock lock(mutex_);
    before_ = std::move(before);
    after_ = std::move(after);
  }

  absl::StatusOr<uint32_t> TakeOver(uint32_t at_least) override { return inner_->TakeOver(at_least); }
  absl::Status Append(uint32_t epoch, std::span<const store::Batch* const> batches) override {
    std::function<void()> before, after;
    {
      base::MutexLock lock(mutex_);
      ++arrived_;
      changed_.NotifyAll();
      while (closed_ && passes_ == 0) changed_.Wait(mutex_);
      if (passes_ > 0) --passes_;
      before = before_;
      after = after_;
    }
    if (before) before();
    absl::Status status = inner_->Append(epoch, batches);
    if (status.ok() && after) after();
    base::MutexLock lock(mutex_);
    if (status.ok()) ++appends_;
    return status;
  }
  absl::Status Scan(std::string_view prefix, const store::RowVisitor& visit) override {
    return inner_->Scan(prefix, visit);
  }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override { return inner_->Get(key); }
  absl::Status Sync() override { return inner_->Sync(); }
  absl::Status Compact() override { return inner_->Compact(); }
  absl::Status Verify() override { return inner_->Verify(); }
  absl::Status Backup(const std::string& path) override { return inner_->Backup(path); }
  base::Durability durability() const override { return inner_->durability(); }
  store::JournalStats stats() const override { return inner_->stats(); }

 private:
  const std::shared_ptr<store::MemoryStore> disk_;
  const std::unique_ptr<store::Journal> inner_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool closed_ MUSTER_GUARDED_BY(mutex_) = false;
  int passes_ MUSTER_GUARDED_BY(mutex_) = 0;
  int arrived_ MUSTER_GUARDED_BY(mutex_) = 0;
  int appends_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::function<void()> before_ MUSTER_GUARDED_BY(mutex_);
  std::function<void()> after_ MUSTER_GUARDED_BY(mutex_);
};

}  // namespace muster::test
