#include "service/store/memory_journal.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/base/failpoint.h"

namespace muster::store {
namespace {

class MemoryJournal final : public Journal {
 public:
  explicit MemoryJournal(std::shared_ptr<MemoryStore> store) : store_(std::move(store)) {}

  absl::StatusOr<uint32_t> TakeOver(uint32_t at_least) override {
    base::MutexLock lock(store_->mutex);
    if (store_->appends_left == 0) return store_->failure;
    if (store_->epoch == std::numeric_limits<uint32_t>::max()) {
      return absl::ResourceExhaustedError("the store has had its last owner: epochs end at 4294967295");
    }
    store_->epoch = std::max(store_->epoch + 1, at_least);
    return store_->epoch;
  }

  absl::Status Append(uint32_t epoch, std::span<const Batch* const> batches) override {
    base::Failpoint("journal.before_write");
    const bool fails = base::FailpointFails("journal.write");
    {
      base::MutexLock lock(store_->mutex);
      if (!failure_.ok()) return failure_;
      if (epoch == 0 || epoch != store_->epoch) {
        return absl::FailedPreconditionError(fmt::format(
            "the store is owned under epoch {}, not {}: another server has taken it over", store_->epoch, epoch));
      }
      if (fails || store_->appends_left == 0) return failure_ = store_->failure;
      if (store_->appends_left > 0) --store_->appends_left;
      for (const Batch* batch : batches) Apply(*batch);
      ++stats_.commits;
    }
    base::Failpoint("journal.after_write");
    base::Failpoint("journal.after_mark");
    return absl::OkStatus();
  }

  absl::Status Scan(std::string_view prefix, const RowVisitor& visit) override {
    // A copy: the visitor may call the journal, and sees the rows as of now whatever is appended meanwhile.
    std::vector<std::pair<std::string, std::string>> rows;
    {
      base::MutexLock lock(store_->mutex);
      for (auto it = store_->rows.lower_bound(prefix); it != store_->rows.end() && it->first.starts_with(prefix);
           ++it) {
        rows.emplace_back(*it);
      }
    }
    for (const auto& [key, value] : rows) {
      if (absl::Status status = visit(key, value); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    base::MutexLock lock(store_->mutex);
    const auto found = store_->rows.find(key);
    if (found == store_->rows.end()) return std::nullopt;
    return found->second;
  }

  absl::Status Sync() override {
    base::MutexLock lock(store_->mutex);
    return failure_;
  }
  absl::Status Compact() override { return absl::OkStatus(); }
  absl::Status Verify() override { return absl::OkStatus(); }
  absl::Status Backup(const std::string&) override {
    return absl::UnimplementedError("a journal in memory has no files to back up");
  }

  base::Durability durability() const override { return base::Durability::kNone; }

  JournalStats stats() const override {
    base::MutexLock lock(store_->mutex);
    JournalStats stats = stats_;
    stats.live_rows = store_->rows.size();
    return stats;
  }

 private:
  void Apply(const Batch& batch) MUSTER_REQUIRES(store_->mutex) {
    // By pointer: the analysis does not see that ForEach calls the lambda under the lock that is held here.
    auto* const rows = &store_->rows;
    batch.ForEach([rows](std::string_view key, std::optional<std::string_view> value) {
      if (value) {
        rows->insert_or_assign(std::string(key), std::string(*value));
      } else if (const auto found = rows->find(key); found != rows->end()) {
        rows->erase(found);
      }
    });
    stats_.rows += batch.rows();
    stats_.log_bytes += batch.bytes();
  }

  const std::shared_ptr<MemoryStore> store_;
  absl::Status failure_ MUSTER_GUARDED_BY(store_->mutex);
  JournalStats stats_ MUSTER_GUARDED_BY(store_->mutex);
};

}  // namespace

std::unique_ptr<Journal> OpenMemoryJournal(std::shared_ptr<MemoryStore> store) {
  return std::make_unique<MemoryJournal>(std::move(store));
}

}  // namespace muster::store
