// The rows by which a store knows namespaces.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "service/runtime/journal/committer.h"
#include "service/store/journal.h"
#include "service/values/id.h"

namespace muster::runtime {

// Writes `name` into the row of `id` if that is empty, and gives the name that stands there from now on. What is
// submitted to the committer later is durable only when the row is, so nothing names a namespace that has no row.
//
// The journal belongs to one owner at a time, and one call at a time comes here (Namespaces' lock): so to look and then
// to write is to compare and set. Where several servers write to one store this is the place for a statement that does
// both.
absl::StatusOr<std::string> ClaimNamespaceRow(store::Journal& journal, Committer& committer, values::NamespaceId id,
                                              const std::string& name);

}  // namespace muster::runtime
