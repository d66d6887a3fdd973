#include "service/store/detail/settings.h"

#include <algorithm>
#include <utility>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

namespace muster::store::detail {
namespace {

class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::CompressionType Compression() {
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool has = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  return has ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

std::shared_ptr<rocksdb::TableFactory> Table(uint64_t block_cache_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;  // pinned: an upgrade of the library must not make files that the last release can't read
  table.checksum = rocksdb::kXXH3;
  table.block_size = 16 << 10;
  table.block_cache = rocksdb::NewLRUCache(block_cache_bytes);
  // Otherwise they lie outside every bound and grow with the store.
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

rocksdb::Options Common(const RocksOptions& options) {
  rocksdb::Options result;
  if (options.env != nullptr) result.env = options.env;
  result.create_if_missing = false;
  result.paranoid_checks = true;
  result.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  result.track_and_verify_wals_in_manifest = true;
  result.wal_compression = rocksdb::kNoCompression;
  result.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  result.max_open_files = -1;  // all of them are opened at the start, and found missing then
  // By this thread alone. RocksDB would start sixteen for it, and where the system refuses one of them (a control
  // group's limit of threads), it does not return an error but terminates the process.
  result.max_file_opening_threads = 1;
  result.table_factory = Table(options.block_cache_bytes);
  return result;
}

}  // namespace

rocksdb::Options OwnerOptions(const RocksOptions& options, std::shared_ptr<rocksdb::EventListener> listener) {
  rocksdb::Options result = Common(options);
  result.listeners.push_back(std::move(listener));

  // A failed fsync may have thrown away what it reported: nothing is tried again.
  result.max_bgerror_resume_count = 0;

  // Memory: two write buffers, the block cache, little more. Where there is one column family the log is turned over
  // with the write buffer, which holds a little more than the log does.
  result.write_buffer_size = options.log_bytes_max;
  result.max_write_buffer_number = 2;
  result.max_background_jobs = 2;
  result.max_subcompactions = 1;

  // Disk: levels whose sizes follow the last one keep 1.1 bytes for each live one; a file of which half is deleted rows
  // is compacted although nothing else asks for it.
  result.compression = Compression();
  result.level_compaction_dynamic_level_bytes = true;
  result.target_file_size_base = std::max<uint64_t>(options.log_bytes_max / 2, 1 << 20);
  result.max_bytes_for_level_base = 4 * options.log_bytes_max;
  result.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(1024, 512, /*deletion_ratio=*/0.4));
  result.bytes_per_sync = 1 << 20;  // sorted files only; the log is synced as a whole

  // RocksDB's own log, for those who know how to read it.
  result.max_log_file_size = 4 << 20;
  result.keep_log_file_num = 4;
  result.stats_dump_period_sec = 0;
  result.stats_persist_period_sec = 0;
  return result;
}

rocksdb::Options ReaderOptions(const RocksOptions& options, rocksdb::WalFilter* filter) {
  rocksdb::Options result = Common(options);
  result.info_log = std::make_shared<NoLog>();
  result.wal_filter = filter;
  return result;
}

}  // namespace muster::store::detail
