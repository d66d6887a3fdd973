// How RocksDB is set. docs/adr/0040 says why.
#pragma once

#include <memory>

#include "service/store/rocks_journal.h"

namespace rocksdb {
class EventListener;
class WalFilter;
struct Options;
}  // namespace rocksdb

namespace muster::store::detail {

// For the owner: creates nothing, repairs nothing.
rocksdb::Options OwnerOptions(const RocksOptions& options, std::shared_ptr<rocksdb::EventListener> listener);
// To look on: writes not even a log of its own.
rocksdb::Options ReaderOptions(const RocksOptions& options, rocksdb::WalFilter* filter);

}  // namespace muster::store::detail
