// Decodes a row of a kind and encodes what came out, for tests and the fuzzer that hold for every kind alike.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/statusor.h"

#include "service/rows/rows.h"

namespace muster::rows {

enum class RowKind { kFuture, kInput, kMembers, kRequest, kMarks, kFunction, kHeader, kName };
inline constexpr int kRowKinds = 8;

template <typename Value>
absl::StatusOr<std::string> EncodedAgain(const absl::StatusOr<Value>& value) {
  if (!value.ok()) return value.status();
  std::string out;
  if constexpr (std::is_same_v<Value, std::string>) {
    EncodeName(*value, out);
  } else {
    Encode(*value, out);
  }
  return out;
}

inline absl::StatusOr<std::string> Recode(RowKind kind, std::string_view row) {
  switch (kind) {
    case RowKind::kFuture:
      return EncodedAgain(DecodeFuture(3, 77, row));
    case RowKind::kInput:
      return EncodedAgain(DecodePayload(row));
    case RowKind::kMembers:
      return EncodedAgain(DecodeMembers(row));
    case RowKind::kRequest:
      return EncodedAgain(DecodeRequest(5, "request", row));
    case RowKind::kMarks:
      return EncodedAgain(DecodeMarks(row));
    case RowKind::kFunction:
      return EncodedAgain(DecodeFunction(row));
    case RowKind::kHeader:
      return EncodedAgain(DecodeHeader(row));
    case RowKind::kName:
      return EncodedAgain(DecodeName(row));
  }
  return absl::InternalError("no such kind");
}

}  // namespace muster::rows
