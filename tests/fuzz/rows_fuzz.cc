// Any bytes as a row of any kind, or as a key. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "service/base/check.h"
#include "service/rows/rows.h"
#include "tests/unit/rows/recode.h"

namespace muster::rows {
namespace {

void TryKey(std::string_view bytes) {
  const absl::StatusOr<Key> key = ParseKey(bytes);
  MUSTER_CHECK(key.ok() || key.status().code() == absl::StatusCode::kDataLoss);
  if (!key.ok()) return;
  std::string again;
  switch (key->table) {
    case Table::kFuture:
      FutureKey(key->shard, key->sequence, key->part, again);
      break;
    case Table::kRequest:
      RequestKey(key->shard, key->number, key->request_id, again);
      break;
    case Table::kMarks:
      MarksKey(key->shard, again);
      break;
    case Table::kNamespace:
      NamespaceKey(key->number, again);
      break;
    case Table::kFunction:
      FunctionKey(key->number, again);
      break;
    case Table::kHeader:
      HeaderKey(again);
      break;
  }
  MUSTER_CHECK(again == bytes) << "a key that is written otherwise";
}

void TryRow(RowKind kind, std::string_view bytes) {
  const absl::StatusOr<std::string> once = Recode(kind, bytes);
  if (!once.ok()) {
    MUSTER_CHECK(once.status().code() == absl::StatusCode::kDataLoss) << once.status();
    return;
  }
  const absl::StatusOr<std::string> twice = Recode(kind, *once);
  MUSTER_CHECK(twice.ok()) << twice.status();
  MUSTER_CHECK(*once == *twice) << "a row that reads otherwise the second time";
}

}  // namespace
}  // namespace muster::rows

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % (muster::rows::kRowKinds + 1) == muster::rows::kRowKinds) {
    muster::rows::TryKey(bytes);
  } else {
    muster::rows::TryRow(static_cast<muster::rows::RowKind>(data[0] % (muster::rows::kRowKinds + 1)), bytes);
  }
  return 0;
}
