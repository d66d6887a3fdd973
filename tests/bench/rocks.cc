// bench_rocks: what the store and the disk give by themselves, as one line of JSON.
//
//   bench_rocks --mode=batches --dir=DIR      RocksDB's own synced batches; operations are records
//   bench_rocks --mode=fdatasync --dir=DIR    appends of 4 KiB, each followed by fdatasync; operations are appends
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>
#include <unistd.h>

#include "CLI/CLI.hpp"
#include "fmt/format.h"

#include "tests/bench/tally.h"

namespace muster::bench {
namespace {

constexpr size_t kKeyBytes = 16;

bool Failed(const std::string& what) {
  std::fprintf(stderr, "bench_rocks: %s\n", what.c_str());
  return false;
}

// Keys grow, as the ids of futures do; values do not compress.
bool WriteBatches(const std::string& folder, int records, size_t record_bytes, Tally& tally) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.track_and_verify_wals_in_manifest = true;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, folder, &opened);
  if (!status.ok()) return Failed(status.ToString());
  const std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  rocksdb::WriteBatch batch;
  std::string value(record_bytes - kKeyBytes, '\0');
  uint64_t number = 0;
  uint64_t noise = 1;
  for (;;) {
    const auto began = Tally::Now();
    if (!tally.Start(static_cast<uint64_t>(records), began)) break;
    batch.Clear();
    for (int i = 0; i < records; ++i) {
      for (size_t at = 0; at + sizeof(noise) <= value.size(); at += sizeof(noise)) {
        noise = noise * 6364136223846793005u + 1442695040888963407u;
        std::memcpy(value.data() + at, &noise, sizeof(noise));
      }
      status = batch.Put(fmt::format("{:016x}", number++), value);
      if (!status.ok()) return Failed(status.ToString());
    }
    status = db->Write(synced, &batch);
    if (!status.ok()) return Failed(status.ToString());
    tally.Done(began, static_cast<uint64_t>(records), Tally::Now());
  }
  status = db->Close();
  return status.ok() || Failed(status.ToString());
}

bool Append(const std::string& folder, Tally& tally) {
  const std::string path = folder + "/appended";
  const int file = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return Failed(fmt::format("cannot create {}: {}", path, std::strerror(errno)));
  const std::string block(4096, 'x');
  bool good = true;
  for (;;) {
    const auto began = Tally::Now();
    if (!tally.Start(1, began)) break;
    good = write(file, block.data(), block.size()) == static_cast<ssize_t>(block.size()) && fdatasync(file) == 0;
    if (!good) break;
    tally.Done(began, 1, Tally::Now());
  }
  if (!good) Failed(fmt::format("cannot write to {}: {}", path, std::strerror(errno)));
  close(file);
  unlink(path.c_str());
  return good;
}

int Main(int argc, char** argv) {
  Tally::Plan time;
  std::string mode = "batches";
  std::string folder;
  int records = 1000;
  size_t record_bytes = 100;
  CLI::App app("Measures RocksDB's synced batches, or fdatasync, and prints it as JSON.");
  app.set_version_flag("--version",
                       fmt::format(R"({{"rocksdb": "{}.{}.{}"}})", ROCKSDB_MAJOR, ROCKSDB_MINOR, ROCKSDB_PATCH));
  app.add_option("--mode", mode, "What to measure.")->check(CLI::IsMember({"batches", "fdatasync"}));
  app.add_option("--dir", folder, "A folder for it: for batches one that is not there yet.")->required();
  app.add_option("--records", records, "Records in a batch.")->check(CLI::Range(1, 1000000));
  app.add_option("--record-bytes", record_bytes, "Key and value of one record.")->check(CLI::Range(24, 1 << 20));
  app.add_option("--seconds", time.seconds, "How long to measure.")->check(CLI::PositiveNumber);
  app.add_option("--warmup", time.warmup_seconds, "Seconds before it measures.")->check(CLI::NonNegativeNumber);
  app.add_option("--operations-max", time.operations_max, "End after so many, warm-up included; 0: no limit.");
  CLI11_PARSE(app, argc, argv);

  Tally tally(time);
  const bool good = mode == "batches" ? WriteBatches(folder, records, record_bytes, tally) : Append(folder, tally);
  if (!good) return 1;
  tally.Close();
  if (!tally.measured_anything()) {
    std::fprintf(stderr, "bench_rocks: too little ended after the warm-up; raise --seconds or --operations-max\n");
    return 1;
  }
  fmt::print("{{{}}}\n", tally.ToJson());
  return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
