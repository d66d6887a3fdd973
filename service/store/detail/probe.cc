#include "service/store/detail/probe.h"

#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include "service/base/status.h"
#include "service/store/detail/commit_row.h"
#include "service/store/detail/high_water.h"
#include "service/store/detail/settings.h"
#include "service/store/detail/status.h"

namespace muster::store::detail {
namespace {

// The number of the commit that a batch is: its first row.
class FirstRow final : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(uint32_t, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    first_ = false;
    if (key.ToStringView() == kCommitKey) number_ = DecodeNumber(value.ToStringView(), 8);
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice&) override {
    first_ = false;
    return rocksdb::Status::OK();
  }
  bool Continue() override { return first_; }

  std::optional<uint64_t> number() const { return number_; }

 private:
  bool first_ = true;
  std::optional<uint64_t> number_;
};

// Sees each record of the logs that RocksDB reads back, in order, and keeps them out of memory.
class LogNumbers final : public rocksdb::WalFilter {
 public:
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch*, bool*) override {
    FirstRow row;
    if (batch.Iterate(&row).ok() && row.number()) Add(*row.number());
    return WalProcessingOption::kIgnoreCurrentRecord;
  }
  const char* Name() const override { return "muster.LogNumbers"; }

  std::optional<uint64_t> first() const { return first_; }
  uint64_t last() const { return last_; }
  // The first commit that is not there although a later one is.
  std::optional<uint64_t> gap() const { return gap_; }

 private:
  void Add(uint64_t number) {
    if (!first_) {
      first_ = number;
    } else if (number != last_ + 1 && !gap_) {
      gap_ = last_ + 1;
    }
    last_ = number;
  }

  std::optional<uint64_t> first_;
  uint64_t last_ = 0;
  std::optional<uint64_t> gap_;
};

}  // namespace

absl::StatusOr<Probe> ProbeCopy(const RocksOptions& options) {
  LogNumbers logs;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(ReaderOptions(options, &logs), options.path, &opened);
  const std::unique_ptr<rocksdb::DB> db(opened);
  if (IsMissing(status) || status.IsInvalidArgument()) {
    return absl::DataLossError(fmt::format(
        "a file of the store \"{}\" is missing: {}. Put it back, or restore the latest backup into an empty "
        "folder",
        options.path, status.ToString()));
  }
  MUSTER_RETURN_IF_ERROR(ToStatus(status, "read", options.path));
  // The logs were kept out, so this is what the sorted files hold.
  std::string value;
  const rocksdb::Status row = db->Get({}, rocksdb::Slice(kCommitKey.data(), kCommitKey.size()), &value);
  Probe probe;
  if (!row.IsNotFound()) {
    MUSTER_RETURN_IF_ERROR(ToStatus(row, "read", options.path));
    probe.flushed = DecodeNumber(value, 8).value_or(0);
  }
  probe.commit = probe.flushed;
  if (!logs.first()) return probe;
  std::optional<uint64_t> gap = logs.gap();
  if (*logs.first() > probe.flushed + 1) gap = probe.flushed + 1;
  if (gap) {
    return absl::DataLossError(fmt::format(
        "the store \"{}\" has commit {} but not commit {}: a log in the middle is missing or damaged. Put the "
        "missing log back, or restore the latest backup into an empty folder",
        options.path, logs.last(), *gap));
  }
  probe.commit = std::max(probe.flushed, logs.last());
  return probe;
}

absl::StatusOr<Probe> ProbeStore(const RocksOptions& options) {
  rocksdb::Env* const env = options.env != nullptr ? options.env : rocksdb::Env::Default();
  // First, for a reader beside a running owner: what was marked by now is in the logs that are read after.
  MUSTER_ASSIGN_OR_RETURN(const uint64_t high_water, HighWater::Read(env, options.path));
  MUSTER_ASSIGN_OR_RETURN(Probe probe, ProbeCopy(options));
  probe.high_water = high_water;
  if (probe.commit < probe.high_water) return MissingCommits(options.path, probe.high_water, probe.commit);
  return probe;
}

absl::Status MissingCommits(const std::string& path, uint64_t high_water, uint64_t commit) {
  return absl::DataLossError(fmt::format(
      "the store \"{}\" has lost {} commits that were acknowledged: it ends with commit {} and had {}. A log is "
      "missing or was cut. Put the missing log back, or restore the latest backup into an empty folder. "
      "Nothing was changed",
      path, high_water - commit, commit, high_water));
}

}  // namespace muster::store::detail
