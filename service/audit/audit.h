// Reads every row of a store, decodes it, and checks what one row says of another: what a server checks when it starts,
// without starting one. The bytes of the files are Journal::Verify's matter.
//
// Threading: blocks for as long as the reading takes; any thread. Memory: some 60 bytes a future.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "service/core/door/command.h"
#include "service/rows/rows.h"
#include "service/store/journal.h"

namespace muster::audit {

// By values::State, kPending to kCancelled.
inline constexpr size_t kStates = 7;
using StateCounts = std::array<uint64_t, kStates>;

struct TableCount {
  uint64_t rows = 0;
  uint64_t bytes = 0;  // of keys and values
};

struct Report {
  // nullopt: the store is new, no server has started on it.
  std::optional<rows::HeaderRow> header;
  TableCount futures, inputs, members, requests, marks, namespaces, functions, headers;
  StateCounts states{};
  std::map<std::string, StateCounts> by_namespace;
  uint64_t damaged = 0;             // how many things are wrong
  std::vector<std::string> damage;  // the first kDamageShown of them, one a line

  bool ok() const { return damaged == 0; }
  uint64_t rows() const;
};
inline constexpr size_t kDamageShown = 100;

// FAILED_PRECONDITION: a newer version wrote the store. Whatever else is wrong with it stands in the report.
// `on_rows`, if given, is told now and then how many rows are read.
absl::StatusOr<Report> Audit(store::Journal& journal, const std::function<void(uint64_t rows)>& on_rows = {});

}  // namespace muster::audit
