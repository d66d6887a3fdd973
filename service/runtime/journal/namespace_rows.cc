#include "service/runtime/journal/namespace_rows.h"

#include <memory>
#include <optional>
#include <utility>

#include "service/base/status.h"
#include "service/rows/rows.h"

namespace muster::runtime {

absl::StatusOr<std::string> ClaimNamespaceRow(store::Journal& journal, Committer& committer, values::NamespaceId id,
                                              const std::string& name) {
  std::string key, value;
  rows::NamespaceKey(id, key);
  MUSTER_ASSIGN_OR_RETURN(const std::optional<std::string> row, journal.Get(key));
  if (row.has_value()) return rows::DecodeName(*row);
  auto batch = std::make_unique<store::Batch>();
  rows::EncodeName(name, value);
  batch->Put(key, value);
  committer.Write(std::move(batch));
  return name;
}

}  // namespace muster::runtime
