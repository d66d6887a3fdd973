// What a store on disk would come back as, found out without changing a byte of it: RocksDB drops a log that it could
// not read to the end when it opens for writing, and with it the evidence.
//
// Three things are compared. The number in HIGHWATER, read first; the commit row in the sorted files; and the numbers
// of the commits in the logs, which must follow on it without a gap. A gap inside is a log that is missing among
// others, or a manifest that lost its end; too low a number at the end is a last log that is missing or was cut.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/store/rocks_journal.h"

namespace muster::store::detail {

struct Probe {
  uint64_t high_water = 0;
  uint64_t commit = 0;   // the last that comes back
  uint64_t flushed = 0;  // the last that is in sorted files
};

// DATA_LOSS: commits are missing, or a file is damaged.
absl::StatusOr<Probe> ProbeStore(const RocksOptions& options);

// "commits are missing", for an operator.
absl::Status MissingCommits(const std::string& path, uint64_t high_water, uint64_t commit);

// Of a folder that has no HIGHWATER yet, such as a copy that was just made; high_water is 0.
absl::StatusOr<Probe> ProbeCopy(const RocksOptions& options);

}  // namespace muster::store::detail
