// Appends small rows under growing keys and deletes each when so many newer ones are there, as futures come and go, and
// prints what the store takes on disk against what is live.
//
//   store_churn [--rows=300000] [--window=20000] [--bound=0] [--folder=F]
//
// With a bound it fails when, after the first tenth, the files ever take more bytes than that.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "service/base/clock.h"
#include "service/store/rocks_journal.h"
#include "tests/support/temp_folder.h"

namespace muster::store {
namespace {

struct Options {
  uint64_t rows = 300'000;
  uint64_t window = 20'000;
  uint64_t bound = 0;
  uint64_t log_mib = 64;
  std::string folder;
};

bool TakeNumber(std::string_view argument, std::string_view name, uint64_t* value) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  return std::from_chars(argument.data(), argument.data() + argument.size(), *value).ec == std::errc();
}

bool Parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--folder=")) {
      options->folder = argument.substr(std::strlen("--folder="));
    } else if (!TakeNumber(argument, "--rows=", &options->rows) &&
               !TakeNumber(argument, "--window=", &options->window) &&
               !TakeNumber(argument, "--bound=", &options->bound) &&
               !TakeNumber(argument, "--log-mib=", &options->log_mib)) {
      fmt::print(stderr, "{}: what is that?\n", argument);
      return false;
    }
  }
  return true;
}

std::string Key(uint64_t sequence) { return fmt::format("f{:012}", sequence); }

// As a small future is: most bytes differ from row to row.
std::string Value(uint64_t sequence) {
  std::string value;
  uint64_t state = sequence;
  while (value.size() < 120) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value += fmt::format("{:016x}", state);
  }
  return value;
}

// What this process had the kernel write to disk so far, write amplification included; 0 where that is not told.
uint64_t BytesWritten() {
  std::ifstream in("/proc/self/io");
  std::string name;
  for (uint64_t value = 0; in >> name >> value;) {
    if (name == "write_bytes:") return value;
  }
  return 0;
}

int Run(const Options& options) {
  const test::TempFolder temporary;
  RocksOptions rocks;
  rocks.path = (options.folder.empty() ? temporary.path() : options.folder) + "/store";
  rocks.durability = base::Durability::kAsync;  // what is measured is space, not the disk's flushes
  rocks.log_bytes_max = options.log_mib << 20;
  auto opened = OpenRocksJournal(rocks);
  if (!opened.ok()) {
    fmt::print(stderr, "{}\n", opened.status().ToString());
    return 1;
  }
  Journal& journal = **opened;
  const uint32_t epoch = journal.TakeOver(0).value();
  const base::SystemClock clock;
  const base::Instant start = clock.Now();
  constexpr uint64_t kRowsACommit = 100;
  const uint64_t row_bytes = Key(0).size() + Value(0).size();
  uint64_t worst = 0;
  fmt::print("{:>10} {:>9} {:>12} {:>12} {:>8} {:>7}\n", "appended", "seconds", "live bytes", "disk bytes", "ratio",
             "stalls");
  Batch batch;
  for (uint64_t row = 0; row < options.rows; row += kRowsACommit) {
    batch.Clear();
    for (uint64_t i = row; i < row + kRowsACommit; ++i) {
      batch.Put(Key(i), Value(i));
      if (i >= options.window) batch.Delete(Key(i - options.window));
    }
    const Batch* const batches[] = {&batch};
    if (const absl::Status status = journal.Append(epoch, batches); !status.ok()) {
      fmt::print(stderr, "{}\n", status.ToString());
      return 1;
    }
    const uint64_t done = row + kRowsACommit;
    if (done % std::max(options.rows / 20, kRowsACommit) != 0) continue;
    const JournalStats stats = journal.stats();
    const uint64_t live = std::min(done, options.window) * row_bytes;
    if (done > options.rows / 10) worst = std::max(worst, stats.disk_bytes);
    fmt::print("{:>10} {:>9.1f} {:>12} {:>12} {:>8.2f} {:>7}\n", done,
               std::chrono::duration<double>(clock.Now() - start).count(), live, stats.disk_bytes,
               static_cast<double>(stats.disk_bytes) / static_cast<double>(live), stats.stalls);
  }
  const JournalStats stats = journal.stats();
  fmt::print("{} bytes into the log, {} written to disk in all\n", stats.log_bytes, BytesWritten());
  if (!journal.Compact().ok()) return 1;
  fmt::print("after Compact: {} bytes on disk\n", journal.stats().disk_bytes);
  if (options.bound != 0 && worst > options.bound) {
    fmt::print(stderr, "the store took {} bytes, more than {}\n", worst, options.bound);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace muster::store

int main(int argc, char** argv) {
  muster::store::Options options;
  if (!muster::store::Parse(argc, argv, &options)) return 2;
  return muster::store::Run(options);
}
