// What RocksDB reports, in the operator's words: what failed, where, and what to do about it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace rocksdb {
class Status;
}

namespace muster::store::detail {

// UNAVAILABLE: the disk is full or fails; PERMISSION_DENIED: may not be written; DATA_LOSS: what is on the disk is not
// what was written. `what` says what was being done ("write to"), `path` is the store's folder.
absl::Status ToStatus(const rocksdb::Status& status, std::string_view what, const std::string& path);

// A file that must be there is not.
bool IsMissing(const rocksdb::Status& status);

}  // namespace muster::store::detail
